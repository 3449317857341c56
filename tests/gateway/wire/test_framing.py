"""The same payloads wherever the bytes are cut: every place, one byte at a time and all at once."""

import json

import pytest

from cockpit.gateway.wire.framing import array, events, lines
from tests.gateway.wire.answers import STREAMS

FRAMINGS = {
    "claude": events,
    "claude, data only, CRLF": events,
    "chat": events,
    "responses": events,
    "gemini": events,
    "gemini, an array": array,
    "ollama": lines,
}


def payloads(framing, pieces):
    found, left = [], b""
    for piece in pieces:
        some, left = framing(left + piece, False)
        found += some
    return found + framing(left, True)[0]


@pytest.mark.parametrize("name", FRAMINGS)
def test_payloads_do_not_depend_on_the_cuts(name):
    data, framing = STREAMS[name].answer[:1200], FRAMINGS[name]
    whole = framing(data, True)[0]
    assert len(whole) > 1
    assert payloads(framing, [data[at : at + 1] for at in range(len(data))]) == whole
    for at in range(len(data)):
        assert payloads(framing, [data[:at], data[at:]]) == whole


def test_braces_in_a_string_that_is_cut_are_no_structure():
    told = [{"text": 'a } b { \\" c'}, {"text": "}"}]
    data = json.dumps(told).encode()
    for at in range(len(data)):
        found = payloads(array, [data[:at], data[at:]])
        assert [json.loads(payload) for payload in found] == told
