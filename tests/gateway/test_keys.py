"""Where keys are found, where they go, and that they go nowhere else."""

import asyncio
import pickle
import time

import pytest
from click.testing import CliRunner

from cockpit.cli.key import key as command
from cockpit.core import events as e
from cockpit.gateway import keys as keys_module
from cockpit.gateway.credentials import Secret
from cockpit.gateway.keys import Keys, KeyStoreError, read_file, safe_backend, write_file
from cockpit.gateway.providers import KNOWN, providers, upstreams
from cockpit.gateway.upstream import address
from cockpit.journal.providers import ProviderSettings
from tests.gateway.line import KEY, Line, Source, client, messages, plain, post

SECRET = "sk-real-" + "a1B2" * 8


class Ring:
    """A keyring of this test's own."""

    def __init__(self, delay=0.0):
        self.kept = {}
        self.delay = delay

    def get_password(self, service, name):
        time.sleep(self.delay)
        return self.kept.get((service, name))

    def set_password(self, service, name, text):
        self.kept[service, name] = text


def found(keys, provider):
    secret, place = asyncio.run(keys.locate(provider))
    return (secret.reveal() if secret else None), place


def test_environment_then_keyring_then_file(tmp_path):
    ring, environment = Ring(), {}
    keys = Keys(tmp_path, environment, backend=lambda: ring)
    openai = KNOWN["openai"]
    assert found(keys, openai) == (None, "")
    write_file(tmp_path / "keys", "openai", Secret("from-file"))
    assert found(keys, openai) == ("from-file", "file")
    asyncio.run(keys.keep("openai", Secret("from-ring")))
    assert found(keys, openai) == ("from-ring", "keyring")
    environment["OPENAI_API_KEY"] = " from-env\n"
    assert found(keys, openai) == ("from-env", "env OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("source", "place"), [("env OTHER", "env OTHER"), ("keyring", "keyring"), ("file", "file")]
)
def test_a_named_source_is_the_only_one(tmp_path, source, place):
    ring = Ring()
    keys = Keys(tmp_path, {"OPENAI_API_KEY": "a", "OTHER": "b"}, backend=lambda: ring)
    write_file(tmp_path / "keys", "openai", Secret("c"))
    asyncio.run(keys.keep("openai", Secret("d")))
    mine = providers({"openai": ProviderSettings(key=source)}, {})["openai"]
    assert found(keys, mine)[1] == place


def test_a_keyring_that_hangs_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(keys_module, "KEYRING_LIMIT_S", 0.2)
    keys = Keys(tmp_path, {}, backend=lambda: Ring(delay=5))
    began = time.monotonic()
    assert found(keys, KNOWN["openai"]) == (None, "")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "backend",
    ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"],
)
def test_keyrings_that_forget_are_not_safe(monkeypatch, backend):
    import keyring
    from keyring.core import load_keyring

    before = keyring.get_keyring()
    keyring.set_keyring(load_keyring(backend))
    try:
        assert safe_backend() is None
    finally:
        keyring.set_keyring(before)


def test_no_safe_keyring_is_said(tmp_path):
    with pytest.raises(KeyStoreError, match="--file"):
        asyncio.run(Keys(tmp_path, {}, backend=lambda: None).keep("openai", Secret(SECRET)))


def test_a_file_that_others_can_read_is_refused(tmp_path):
    path = write_file(tmp_path, "openai", Secret(SECRET))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(KeyStoreError, match="chmod 600") as error:
        read_file(tmp_path, "openai")
    assert SECRET not in str(error.value)


def test_a_link_is_no_key_file(tmp_path):
    write_file(tmp_path, "openai", Secret(SECRET))
    (tmp_path / "glm").symlink_to(tmp_path / "openai")
    assert read_file(tmp_path, "glm") == ""
    with pytest.raises(ValueError, match="letters"):
        read_file(tmp_path, "../openai")


def test_a_secret_shows_itself_nowhere():
    secret = Secret(SECRET)
    assert SECRET not in f"{secret} {secret!r}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("wire", "shown", "sent"),
    [
        ("anthropic", {"x-api-key": KEY}, f"x-api-key: {SECRET}"),
        ("anthropic", {"Authorization": f"Bearer {KEY}"}, f"x-api-key: {SECRET}"),
        ("chat", {"Authorization": f"Bearer {KEY}"}, f"authorization: bearer {SECRET}"),
        ("gemini", {"x-goog-api-key": KEY}, f"x-goog-api-key: {SECRET}"),
    ],
)
async def test_the_real_key_takes_the_dummys_place(tmp_path, wire, shown, sent):
    async def answer(head, body, writer):
        writer.write(plain(b"{}"))

    paths = {
        "anthropic": "/v1/messages",
        "chat": "/v1/chat/completions",
        "gemini": "/v1beta/models/gemini-3.8-flash:generateContent?key=" + KEY,
    }
    name = {"anthropic": "anthropic", "chat": "openai", "gemini": "gemini"}[wire]
    models = {"anthropic": "claude-opus-5", "chat": "gpt-6.1-sol", "gemini": ""}
    environment = {KNOWN[name].variable: SECRET}
    async with Source(answer) as source, Line(tmp_path, environment) as line:
        settings = {name: ProviderSettings(base_url=source.url, dialect=wire)}
        run = line.run(upstreams=[], settings=settings)
        body = {
            "model": models[wire],
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "x"}],
        }
        async with (
            client() as session,
            session.post(run.url + paths[wire], json=body, headers=shown) as reply,
        ):
            assert reply.status == 200
        head = source.seen[0][0]
        assert sent.lower() in head.lower()
        assert KEY not in head


async def test_an_agents_own_login_is_passed_through_untouched(tmp_path):
    async def answer(head, body, writer):
        writer.write(plain(b"{}"))

    async with Source(answer) as source, Line(tmp_path, {"ANTHROPIC_API_KEY": SECRET}) as line:
        settings = {"anthropic": ProviderSettings(base_url=source.url)}
        run = line.run(upstreams=[], settings=settings)
        own = {"Authorization": "Bearer sk-ant-oat01-own"}
        async with (
            client() as session,
            session.post(f"{run.url}/v1/messages", json=messages(), headers=own) as reply,
        ):
            assert reply.status == 200
        head = source.seen[0][0]
        assert "Bearer sk-ant-oat01-own" in head
        assert SECRET not in head


async def test_no_key_no_call(tmp_path):
    async with Line(tmp_path) as line:
        run = line.run(upstreams=[])
        async with client() as session, post(session, run, messages()) as answer:
            assert answer.status == 402
            said = (await answer.json())["error"]["message"]
    assert "set ANTHROPIC_API_KEY or run: cockpit key set anthropic" in said


async def test_nothing_written_holds_a_key_a_token_or_a_prompt(tmp_path, caplog):
    """The grep test for this part: events, journal, log and errors after good and bad calls."""
    caplog.set_level(0)
    prompt = "the-secret-of-the-prompt"

    async def refuse(head, body, writer):
        told = f'{{"error": {{"type": "authentication_error", "message": "bad key {SECRET}"}}}}'
        writer.write(plain(told.encode(), "401 Unauthorized"))

    async def echo(head, body, writer):
        told = f'{{"error": {{"type": "invalid_request_error", "message": "bad {prompt}"}}}}'
        writer.write(plain(told.encode(), "400 Bad Request"))

    async with (
        Source(refuse) as refusing,
        Source(echo) as echoing,
        Line(tmp_path, {"ANTHROPIC_API_KEY": SECRET}) as line,
    ):
        places = [line.demo.url, refusing.url, echoing.url, "http://127.0.0.1:1"]
        tokens = []
        async with client() as session:
            for number, url in enumerate(places):
                settings = {"anthropic": ProviderSettings(base_url=url)}
                run = line.run(f"run-{number}", upstreams=[], settings=settings)
                tokens.append(run.url.rpartition("/")[2])
                for stream in (True, False):
                    async with post(session, run, messages(prompt, stream=stream)) as answer:
                        await answer.read()
        assert len(line.of(e.CallFailed)) == 6
        line.journal.append(*line.events).result()
        written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        told = [repr(line.events).encode(), caplog.text.encode(), *written]
    for text in (SECRET, prompt, KEY, *tokens):
        assert not any(text.encode() in part for part in told), text


def test_where_calls_go():
    def to(wire, base, path):
        return str(address(upstreams([f"{wire}={base}"], {}, {})[wire], path, ""))

    assert to("anthropic", "https://x.io", "/v1/messages") == "https://x.io/v1/messages"
    assert to("anthropic", "https://x.io/v1", "/v1/messages") == "https://x.io/v1/messages"
    assert to("anthropic", "glm", "/v1/messages") == "https://api.z.ai/api/anthropic/v1/messages"
    chat = "/chat/completions"
    assert to("chat", "glm", f"/v1{chat}") == f"https://api.z.ai/api/paas/v4{chat}"
    assert to("chat", "openrouter", chat) == f"https://openrouter.ai/api/v1{chat}"
    assert to("chat", "https://x.io", chat) == f"https://x.io/v1{chat}"
    assert to("chat", "http://h:1/v1", f"/v1{chat}") == f"http://h:1/v1{chat}"
    gemini = "/v1beta/models/g:streamGenerateContent"
    assert to("gemini", "http://h:1", gemini) == f"http://h:1{gemini}"
    assert to("ollama", "http://h:1", "/api/chat") == "http://h:1/api/chat"


def test_ollamas_host_as_people_write_it():
    def at(host):
        return providers({}, {"OLLAMA_HOST": host})["ollama"].urls["chat"]

    assert at("0.0.0.0") == "http://127.0.0.1:11434/v1"
    assert at("box:1234") == "http://box:1234/v1"
    assert at("https://box") == "https://box:443/v1"


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("anthropic", "DIALECT=URL"),
        ("smoke=http://x", "DIALECT=URL"),
        ("anthropic=nobody", "no provider 'nobody'"),
        ("gemini=anthropic", "does not speak gemini"),
        ("chat=http://u:p@x", "keys have their own place"),
        ("chat=ftp://x", "write it like https"),
    ],
)
def test_a_bad_choice_is_named(choice, says):
    with pytest.raises(ValueError, match=says):
        upstreams([choice], {}, {})


def test_a_key_does_not_travel_to_a_strangers_host():
    stranger = upstreams(["chat=https://elsewhere.example/v1"], {}, {})["chat"].provider
    assert stranger.key.kind == "none"
    known = upstreams(["chat=https://api.openai.com/v1"], {}, {})["chat"].provider
    assert known.name == "openai"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    for provider in KNOWN.values():
        monkeypatch.delenv(provider.variable or "NO_SUCH", raising=False)
    return tmp_path


def test_the_command_keeps_a_key_and_never_prints_it(home):
    shell = CliRunner()
    done = shell.invoke(command, ["set", "openai", "--file"], input=f"{SECRET}\n")
    assert done.exit_code == 0, done.output
    assert (home / "config" / "keys" / "openai").read_text().strip() == SECRET
    listed = shell.invoke(command, ["list"])
    assert "openai" in listed.output
    assert "file" in listed.output
    assert SECRET not in done.output + listed.output
    assert shell.invoke(command, ["set", "nobody"], input="x").exit_code == 1
    assert shell.invoke(command, ["set", "openai", "--file"], input="two words").exit_code == 1


def test_the_command_tries_a_key(home):
    from cockpit.demo.provider import Provider as Demo

    async def serve_and_ask():
        async with Demo() as demo:
            text = f'[providers.mine]\ndialect = "chat"\nbase_url = "{demo.url}/v1"\nkey = "none"\n'
            (home / "config").mkdir()
            (home / "config" / "settings.toml").write_text(text)
            return await asyncio.to_thread(CliRunner().invoke, command, ["test", "mine"])

    done = asyncio.run(serve_and_ask())
    assert done.exit_code == 0, done.output
    assert "mine: works, " in done.output
    assert CliRunner().invoke(command, ["test", "vllm"]).exit_code == 1
