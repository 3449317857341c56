"""Nothing that a script says of itself is believed."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.architect.result import (
    LIMIT_AT_FIRST_MS,
    LIMIT_FLOOR_MS,
    Said,
    judged,
    limit_ms,
    reason_of,
    within,
)
from cockpit.core.script import Capabilities, Clause, Script

SCRIPT = Script(
    task="t", purpose="p", source="x", capabilities=Capabilities(write=("out/*.md", "log.txt"))
)
THERE = {"out/a.md": b"text\n", "log.txt": b"line\n"}


def digest(content):
    return hashlib.sha256(content).hexdigest()


def told(outputs, skipped=(), script=SCRIPT, there=THERE):
    report = {"status": "done", "outputs": outputs, "skipped": list(skipped)}
    return judged(script, Said(0, f"noise\n{json.dumps(report)}\n"), there.get)


def written(path, content=None):
    return {"path": path, "sha256": digest(THERE[path] if content is None else content)}


def test_what_is_there_and_allowed_passes():
    assert told([written("out/a.md")]).passed
    assert told([], ["out/a.md is so already"]).passed


def test_a_file_written_twice_counts_as_it_is_at_the_end():
    assert told([written("out/a.md", b"draft"), written("out/a.md")]).passed


def test_a_file_that_was_moved_on_is_found_where_it_is():
    moved = [{"path": "out/draft.md", "sha256": digest(b"text\n")}, written("out/a.md")]
    assert told(moved).passed
    assert "not there" in told([{"path": "out/draft.md", "sha256": digest(b"other")}]).reason


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../out/a.md", "out/../x", "out/b/c.md", "out/a.txt"]
)
def test_paths_outside(path):
    assert not within(path, SCRIPT.capabilities.write)
    assert told([{"path": path, "sha256": ""}]).ending == "broken"


def test_empty_is_a_failure_unless_the_contract_says_so():
    empty = {"path": "log.txt", "sha256": digest(b"")}
    assert told([empty], there={"log.txt": b""}).ending == "broken"
    assert told([written("out/a.md") | {"rows": 0}]).ending == "broken"
    may = Script(
        task="t", purpose="p", source="x", capabilities=SCRIPT.capabilities,
        contract=(Clause("log.txt", "may be empty"),),
    )  # fmt: skip
    assert told([empty], script=may, there={"log.txt": b""}).passed
    assert told([]).ending == "broken"


@settings(deadline=None)
@given(st.text(), st.text(), st.integers(-300, 300))
def test_noise_is_never_done(stdout, stderr, code):
    found = judged(SCRIPT, Said(code, stdout, stderr), THERE.get)
    assert not found.passed
    assert len(found.reason) < 400
    assert "\x1b" not in found.reason


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["status", "outputs", "skipped", "reason"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
def test_any_report_is_judged(report):
    found = judged(SCRIPT, Said(0, json.dumps(report)), THERE.get)
    assert found.ending in ("done", "broken")
    if found.passed:
        assert found.skipped


def test_the_reason_is_the_scripts_own_word_without_what_a_terminal_acts_on():
    assert reason_of(Said(3, '{"reason": "no\\u001b[2J row"}')) == "no row"
    assert reason_of(Said(1, "", "Traceback\nKeyError: 'x'\n")) == "KeyError: 'x'"
    assert "without a word" in reason_of(Said(3))


def test_limits_follow_what_it_usually_takes():
    assert limit_ms([]) == LIMIT_AT_FIRST_MS
    assert limit_ms([100, 200]) == LIMIT_FLOOR_MS
    assert limit_ms([1_000] * 95 + [20_000] * 5) == 100_000
