import pytest

from cockpit.core.failure import sentence, signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FAILED in 0.32s", "FAILED in 1.07s"),
        ("Wall time: 0.3230 seconds\nexit 1", "Wall time: 0.4090 seconds\nexit 1"),
        ("at 2026-11-22T07:07:53Z: no", "at 2026-11-22T08:00:00Z: no"),
        ("/tmp/pytest-of-root/pytest-3/x.py: no", "/tmp/pytest-of-root/pytest-4/x.py: no"),
        ("object at 0x7f3e98e44b50", "object at 0x7f3e98e44c00"),
        ("commit 610b2c5 is bad", "commit 63de3bf is bad"),
        ("process 4711 died", "process 4712 died"),
    ],
)
def test_what_varies_between_runs_is_masked(one, other):
    assert signature("bash pytest", one) == signature("bash pytest", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9 failed, 3 passed", "7 failed, 5 passed"),
        ("FAIL: test_a", "FAIL: test_b"),
        ("line 12: no such name", "line 13: no such name"),
    ],
)
def test_progress_is_not(one, other):
    assert signature("bash pytest", one) != signature("bash pytest", other)


def test_another_call_is_another_failure():
    assert signature("bash pytest", "exit 1") != signature("bash make", "exit 1")


def test_the_sentence_names_the_call_and_its_last_words():
    assert (
        sentence("bash pytest", "====\n\nFAILED (failures=1)\n\n")
        == "bash pytest: FAILED (failures=1)"
    )
    assert sentence("bash pytest", "") == "bash pytest"
