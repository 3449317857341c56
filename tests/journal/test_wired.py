"""Spans in which the wire holds a transcript's books."""

from cockpit.core import events as e
from cockpit.journal.wired import FOR_EVER, SLACK_MS, Span, spans_of


def bound(at: int) -> e.ProcessFound:
    return e.ProcessFound(run="run-1", at=at, pid=1, created=1, authority="wire")


def test_a_live_run_holds_the_books_without_end() -> None:
    happened = [bound(10), e.SessionLinked(run="run-1", at=20, found="claude-code/a")]
    assert spans_of(happened) == [Span("claude-code/a", 10, FOR_EVER)]


def test_what_its_user_does_with_the_session_afterwards_counts_as_found() -> None:
    happened = [
        bound(10),
        e.SessionLinked(run="run-1", at=20, found="claude-code/a"),
        e.ProcessEnded(run="run-1", at=90, pid=1),
        e.RunEnded(run="run-1", at=91),
        bound(200),
    ]
    assert spans_of(happened) == [
        Span("claude-code/a", 10, 90 + SLACK_MS),
        Span("claude-code/a", 200, FOR_EVER),
    ]


def test_runs_without_a_transcript_hide_nothing() -> None:
    assert spans_of([bound(10), e.RunEnded(run="run-1", at=91)]) == []
