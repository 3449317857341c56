"""What the operator tells governed runs: pause, go on, a word, yes or no; each fixed to run ids."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cockpit.core.fleet import Fleet, Note, Run, clock_of
from cockpit.ui import text
from cockpit.ui.situation import Situation, unpausable, unresumable

if TYPE_CHECKING:
    from cockpit.ui.app import CockpitApp


def named(runs: Sequence[Run]) -> str:
    """The run's name, or how many they are."""
    if len(runs) != 1:
        return f"{len(runs)} runs"
    return text.safe(runs[0].name, 40) or text.safe(runs[0].id, 40)


def pause(app: "CockpitApp", situation: Situation) -> None:
    """Hold the next call of the runs meant; let them go on when all of them are held."""
    runs = [run for run in situation.targets if not unpausable(run, situation.now)]
    left = len(situation.targets) - len(runs)
    if all(run.paused for run in runs):
        _go_on(app, runs, left)
        return
    runs = [run for run in runs if not run.paused]
    said = f"{named(runs)}: the next call is held, p lets go on{_besides(left)}"
    app.request(app.remote.pause([run.id for run in runs]), lambda _: app.say(said), "not paused")


def resume(app: "CockpitApp", situation: Situation) -> None:
    """Let the runs meant go on; one whose own cap is still reached needs a larger one first."""
    runs = [run for run in situation.targets if not unresumable(run, situation.now)]
    capped = [run for run in runs if is_capped(run, situation.now)]
    if len(capped) == len(runs):
        app.say(f"{named(capped)}: its cap is still reached; b or e raises it", "warning")
        return
    ready = [run for run in runs if run not in capped]
    _go_on(app, ready, len(situation.targets) - len(ready))


def is_capped(run: Run, now: int) -> bool:
    """Whether the run's own cap stands in its way."""
    return bool(run.deferred) and clock_of(run, now).share >= 1


def _go_on(app: "CockpitApp", runs: Sequence[Run], left: int) -> None:
    said = f"{named(runs)}: goes on{_besides(left)}"
    app.request(app.remote.resume([run.id for run in runs]), lambda _: app.say(said), "not resumed")


def _besides(left: int) -> str:
    return f"; {left} of the marked do not apply" if left else ""


def say(app: "CockpitApp", run: Run, words: str) -> None:
    """One line to the model; by which channel it goes is said, and when it was delivered."""

    def sent(channel: str) -> None:
        app.awaited_notes[run.id] = words
        app.say(
            f"{named([run])}: told by {text.safe(channel, 60)}; the time comes when it is heard"
        )

    app.request(app.remote.say(run.id, words), sent, "not said")


def answer(app: "CockpitApp", run: str, tool: str, *, allowed: bool) -> None:
    """Yes or no to a tool call."""
    word = "allowed" if allowed else "denied"
    app.request(
        app.remote.answer(run, tool, allowed=allowed), lambda _: app.say(word), "not answered"
    )


def heard(app: "CockpitApp", fleet: Fleet) -> None:
    """Say of the words that were waited for when the model was given them."""
    for id_, words in list(app.awaited_notes.items()):
        run = fleet.runs.get(id_)
        note = None if run is None else delivered(run, words)
        if run is not None and note is None:
            continue
        del app.awaited_notes[id_]
        if run is not None and note is not None:
            at = text.time_of_day(note.delivered, app.settings.tz, seconds=True)
            app.say(f"{named([run])}: delivered {at} by {text.safe(note.channel, 60)}")


def delivered(run: Run, words: str) -> Note | None:
    """The note with these words, once it was delivered."""
    said = (note for note in reversed(run.notes) if note.text == words and note.delivered)
    return next(said, None)
