"""A token that comes in a header: for agents whose URL stands in their arguments."""

import json

from tests.gateway.line import KEY, Line, client, messages


def masked(governed):
    base, _, token = governed.url.rpartition("/")
    return f"{base}/-", token


async def ask(session, url, **headers):
    given = {"x-api-key": KEY, "anthropic-version": "2026-10-21", **headers}
    async with session.post(
        f"{url}/v1/messages", data=json.dumps(messages()), headers=given
    ) as answer:
        await answer.read()
        return answer.status


async def test_the_token_in_the_header_opens_the_door_and_goes_no_further(tmp_path):
    async with Line(tmp_path) as line, client() as session:
        url, token = masked(line.run())
        seen = []
        sending = line.door.outside.send

        async def send(method, address, headers, body):
            seen.append(headers)
            return await sending(method, address, headers, body)

        line.door.outside.send = send
        assert await ask(session, url, **{"X-Cockpit-Token": token}) == 200
        assert len(line.demo.served()) == 1
        assert [name for name in seen[0] if "cockpit" in name.lower()] == []


async def test_without_the_right_header_the_masked_url_is_worth_nothing(tmp_path):
    async with Line(tmp_path) as line, client() as session:
        url, token = masked(line.run())
        assert await ask(session, url) == 403
        assert await ask(session, url, **{"X-Cockpit-Token": ""}) == 403
        assert await ask(session, url, **{"X-Cockpit-Token": token[:-1]}) == 403
        assert not line.demo.served()
