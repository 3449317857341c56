"""What OpenCode's rows tell: sessions, parts of messages, and messages that failed."""

from cockpit.agents import loose
from cockpit.agents.loose import Table
from cockpit.agents.opencode_database import PartRow
from cockpit.core import events as e
from cockpit.core.text import clean

CAVEAT = (
    "OpenCode does not store the call that makes a title, and a step's tokens only after its tools"
    " ended: the true figure is a little higher"
)
UNNAMED = ("New session - ", "Child session - ")
GOES_ON = ("tool-calls", "unknown")


def session_events(session: Table, path: str, known: str | None) -> list[e.Event]:
    """A session new to us, or one whose title changed from `known`."""
    id_, at = loose.text(session["id"]), loose.instant(session["time_created"])
    title = loose.text(session["title"])
    run = f"opencode/{id_}"
    if known == title:
        return []
    if known is not None:
        return [e.RunDescribed(run=run, at=at, name=_named(title), titled=bool(_named(title)))]
    parent = loose.text(session["parent_id"])
    model = loose.table(loose.decode(loose.text(session["model"])))
    return [
        e.RunSeen(
            run=run,
            at=at,
            agent="opencode",
            session=id_,
            parent=f"opencode/{parent}" if parent else None,
            source=path,
        ),
        e.RunDescribed(
            run=run,
            at=at,
            name=_named(title),
            titled=bool(_named(title)),
            model=loose.name(model.get("id")) or None,
            project=loose.name(session["directory"]) or None,
        ),
        e.RunCaveat(run=run, at=at, reason=CAVEAT),
    ]


def _named(title: str) -> str | None:
    return None if title.startswith(UNNAMED) else loose.name(title) or None


def failure_events(run: str, message: Table) -> list[e.Event]:
    """Why a message broke off."""
    error, time = loose.table(message.get("error")), loose.table(message.get("time"))
    at = loose.instant(time.get("completed")) or loose.instant(time.get("created"))
    details = loose.table(error.get("data"))
    said = clean(loose.text(details.get("message")))
    if error.get("name") == "MessageAbortedError":
        return [e.RunInterrupted(run=run, at=at, text=said)]
    status = loose.count(details.get("statusCode"))
    return [
        e.CallFailed(run=run, at=at, status=status, message=said or loose.name(error.get("name"))),
        e.TurnEnded(run=run, at=at, reason="error"),
    ]


def part_events(row: PartRow, *, started: bool) -> tuple[list[e.Event], bool]:
    """What a part tells, and whether it will still change. `started`: its tool's start was told."""
    part = loose.table(loose.decode(loose.text(row.data)))
    run, at = f"opencode/{row.session}", loose.instant(row.created)
    time = loose.table(part.get("time"))
    ended = loose.instant(time.get("end"))
    said = loose.body(part.get("text"))
    match part.get("type"):
        case "text" if time and not ended:
            return [], True
        case "text" if _role(row) == "user":
            hidden = part.get("synthetic") or part.get("ignored") or not said
            return ([] if hidden else [e.PromptGiven(run=run, at=at, text=said)]), False
        case "text":
            return ([e.ReplyGiven(run=run, at=ended or at, text=said)] if said else []), False
        case "reasoning":
            return [e.ThoughtGiven(run=run, at=ended or at, text=said)], False
        case "tool":
            return _tool_events(run, at, row.id, part, started=started)
        case _:
            return _mark_events(run, at, part), False


def _role(row: PartRow) -> object:
    return loose.table(loose.decode(loose.text(row.message))).get("role")


def _tool_events(
    run: str, at: int, id_: str, part: Table, *, started: bool
) -> tuple[list[e.Event], bool]:
    state = loose.table(part.get("state"))
    status, time = state.get("status"), loose.table(state.get("time"))
    if status not in ("running", "completed", "error"):
        return [], True
    tool = loose.name(part.get("callID")) or id_
    given = loose.table(state.get("input"))
    told: list[e.Event] = []
    if not started:
        told.append(
            e.ToolStarted(
                run=run,
                at=loose.instant(time.get("start")) or at,
                tool=tool,
                name=loose.name(part.get("tool")),
                summary=loose.summary(given),
                arguments=loose.body(given),
            )
        )
    if status == "running":
        return told, True
    details = loose.table(state.get("metadata"))
    told.append(
        e.ToolEnded(
            run=run,
            at=loose.instant(time.get("end")) or at,
            tool=tool,
            ok=status == "completed" and details.get("exit") in (0, None),
            output=loose.body(state.get("output") or state.get("error")),
            diff=loose.body(details.get("diff")),
        )
    )
    return told, False


def _mark_events(run: str, at: int, part: Table) -> list[e.Event]:
    match part.get("type"):
        case "step-finish" if part.get("reason") not in GOES_ON:
            return [e.TurnEnded(run=run, at=at, reason=loose.name(part.get("reason")))]
        case "compaction":
            return [e.ContextCompacted(run=run, at=at)]
        case "retry":
            details = loose.table(loose.table(part.get("error")).get("data"))
            status = loose.count(details.get("statusCode"))
            said = loose.body(details.get("message"))
            return [e.CallFailed(run=run, at=at, status=status, message=said)]
        case _:
            return []
