"""The one table of commands: it makes the key bindings, the footer, the palette and the help."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct
from textual.binding import Binding

from cockpit.ui.adopting import (
    needs_active,
    needs_buildable,
    needs_difference,
    needs_living,
    needs_reviewable,
    needs_runnable,
    needs_schedulable,
    needs_script,
    needs_task,
    needs_watchable,
)
from cockpit.ui.situation import (
    Situation,
    needs_budget,
    needs_listener,
    needs_pausable,
    needs_process,
    needs_question,
    needs_resumable,
    needs_run,
)

Where = Literal["app", "every", "live", "fleet", "run", "spend", "tasks", "shelf", "review"]
"""The screen that has a command; `live` is every screen that shows runs, `every` also those of scripts."""
_OF_SCRIPTS: tuple[Where, ...] = ("tasks", "shelf", "review")


class Command(Struct, frozen=True):
    """Something the operator can do.

    `action` is a Textual action of the screen named by `where`, or of the app. `refusal` says why
    the command does not apply, empty when it does. `footer` is its word in the last line, which
    shows a command that is `fleeting` only while it applies.
    """

    id: str
    key: str
    title: str
    help: str
    action: str
    where: Where = "fleet"
    footer: str = ""
    refusal: Callable[[Situation], str] = lambda _: ""
    anywhere: bool = False
    fleeting: bool = False


COMMANDS: tuple[Command, ...] = (
    Command(
        "run.open",
        "enter",
        "Open",
        "Everything about the run: transcript, clocks, cost per turn.",
        "open",
        footer="open",
        refusal=needs_run,
    ),
    Command(
        "run.interrupt",
        "x",
        "Interrupt",
        "Interrupt the run under the cursor, or the marked runs, at once; again within 3 s climbs to terminate, then kill.",
        "app.interrupt",
        footer="interrupt",
        refusal=needs_process,
        where="live",
    ),
    Command(
        "run.interrupt_anywhere",
        "ctrl+x",
        "Interrupt from anywhere",
        "The same, also out of text fields and dialogs.",
        "app.interrupt",
        where="app",
        refusal=needs_process,
        anywhere=True,
    ),
    Command(
        "fleet.panic",
        "X",
        "Stop everything",
        "Kill every run that has a process; asks for the same key again within 3 s.",
        "app.panic",
        footer="stop all",
        where="every",
    ),
    Command(
        "run.pause",
        "p",
        "Pause, go on",
        "Hold the next model call of the run, or of the marked runs, or let it go on. Only runs started with cockpit run.",
        "pause",
        footer="pause",
        refusal=needs_pausable,
        where="live",
    ),
    Command(
        "run.say",
        "s",
        "Say",
        "One line to the model, with its next call; the transcript says when it was delivered. Only runs started with cockpit run.",
        "say",
        footer="say",
        refusal=needs_listener,
        where="live",
    ),
    Command(
        "run.answer",
        "a",
        "Answer",
        "Yes or no to a tool call that waits, the run's own first, then the next that waits; no is the default.",
        "answer",
        footer="answer",
        refusal=needs_question,
        where="live",
        fleeting=True,
    ),
    Command(
        "run.resume",
        "r",
        "Resume or answer",
        "Let a paused or deferred run go on where it was; answer what it asks.",
        "resume",
        refusal=needs_resumable,
        where="live",
    ),
    Command(
        "run.budget",
        "b",
        "Set a budget",
        "Cap the run: 5usd 90m 2M 80turns, none takes the caps away; of a run started with cockpit run also what happens at zero: defer, halt or ask.",
        "budget",
        footer="budget",
        refusal=needs_run,
        where="live",
    ),
    Command(
        "screen.caps",
        "B",
        "Caps of day and fleet",
        "What the day, the month, the fleet and the projects may spend and have spent; enter changes a cap at once.",
        "app.caps",
        where="live",
    ),
    Command(
        "run.extend",
        "e",
        "Extend the budget",
        "Raise the cap that rules by half; asks first.",
        "extend",
        refusal=needs_budget,
        where="live",
    ),
    Command(
        "row.mark",
        "space",
        "Mark",
        "Mark the run, or take its mark away.",
        "mark",
        footer="mark",
        refusal=needs_run,
    ),
    Command(
        "table.filter",
        "slash",
        "Filter",
        "Words that must stand in name, agent, model, project, branch or state; also state:stuck agent:claude, -word excludes.",
        "filter",
        footer="filter",
    ),
    Command(
        "table.sort",
        "S",
        "Sort",
        "Next order: attention, left, spent, burn, name, age.",
        "sort",
        footer="sort",
    ),
    Command("table.clear", "escape", "Clear", "Take filter and marks away.", "clear"),
    Command(
        "cursor.down", "j,down", "Down", "The next run, entry or line.", "move(1)", where="every"
    ),
    Command("cursor.up", "k,up", "Up", "The one before.", "move(-1)", where="every"),
    Command(
        "cursor.page_down", "pagedown", "Page down", "A page further.", "page(1)", where="every"
    ),
    Command("cursor.page_up", "pageup", "Page up", "A page back.", "page(-1)", where="every"),
    Command("cursor.first", "g,home", "First", "The first of them.", "go(0)", where="every"),
    Command("cursor.last", "G,end", "Last", "The last of them.", "go(-1)", where="every"),
    Command("pane.fleet", "1", "Fleet pane", "Show or hide the table.", "pane('fleet')"),
    Command(
        "pane.focus", "2", "Focus pane", "Show or hide the run under the cursor.", "pane('focus')"
    ),
    Command("pane.events", "3", "Events pane", "Show or hide the event feed.", "pane('events')"),
    Command(
        "screen.tasks",
        "t",
        "Tasks and scripts",
        "Tasks that repeat, what they cost, and which of them a script could do; behind it the shelf of scripts.",
        "app.tasks",
        footer="tasks",
    ),
    Command(
        "tasks.back",
        "escape",
        "Back",
        "Out of the task, then out of the screen.",
        "back",
        where="tasks",
        footer="back",
    ),
    Command(
        "tasks.open",
        "enter",
        "Open",
        "All that is known of the task; of one that has a script, the script.",
        "open",
        where="tasks",
        footer="open",
        refusal=needs_task,
    ),
    Command(
        "tasks.build",
        "b",
        "Build a script",
        "Compile a script from the task's runs and prove it on them; nothing of it acts before you approve it.",
        "build",
        where="tasks",
        footer="build",
        refusal=needs_buildable,
    ),
    Command(
        "tasks.shelf",
        "tab",
        "Shelf",
        "The scripts, and back.",
        "shelf",
        where="tasks",
        footer="shelf",
    ),
    Command(
        "shelf.back",
        "escape,tab",
        "Back",
        "Out of the script's sheet, then back to the tasks.",
        "back",
        where="shelf",
        footer="back",
    ),
    Command(
        "shelf.open",
        "enter",
        "Review",
        "Read the script, where its values come from, what proves it, what it may touch.",
        "open",
        where="shelf",
        footer="review",
        refusal=needs_script,
    ),
    Command(
        "shelf.sheet",
        "space",
        "Sheet",
        "Schedule, results and savings in full, on a screen without room for them.",
        "sheet",
        where="shelf",
        refusal=needs_script,
    ),
    Command(
        "shelf.dry_run",
        "d",
        "Dry run",
        "Run it now without effect, and say what it would have written.",
        "run(True)",
        where="shelf",
        footer="dry run",
        refusal=needs_runnable,
    ),
    Command(
        "shelf.run",
        "r",
        "Run now",
        "Run it now, as its schedule would; asks first.",
        "run(False)",
        where="shelf",
        footer="run",
        refusal=needs_active,
    ),
    Command(
        "shelf.schedule",
        "c",
        "Schedule",
        "When it runs by itself: five fields as in a crontab, none takes the schedule away.",
        "schedule",
        where="shelf",
        footer="schedule",
        refusal=needs_schedulable,
    ),
    Command(
        "shelf.retire",
        "R",
        "Retire",
        "Give the task back to the agent for good; asks first.",
        "retire",
        where="shelf",
        footer="retire",
        refusal=needs_living,
    ),
    Command(
        "review.back",
        "escape",
        "Back",
        "Out of the whole source or the difference, then out of the review.",
        "back",
        where="review",
        footer="back",
    ),
    Command(
        "review.approve",
        "a",
        "Approve",
        "Say yes to exactly this content; asks first, and says what it may touch.",
        "approve",
        where="review",
        footer="approve",
        refusal=needs_reviewable,
    ),
    Command(
        "review.shadow",
        "s",
        "Shadow only",
        "Let it run beside the agent, without effect, until it has agreed often enough.",
        "shadow",
        where="review",
        footer="shadow only",
        refusal=needs_watchable,
    ),
    Command(
        "review.refuse",
        "r",
        "Refuse",
        "Say no, with a reason; the task stays the agent's.",
        "refuse",
        where="review",
        footer="refuse",
        refusal=needs_living,
    ),
    Command(
        "review.edit",
        "e",
        "Edit",
        "Open a copy in $EDITOR. What you change has another hash: its approval is gone and the gates judge it anew.",
        "edit",
        where="review",
        footer="edit",
        refusal=needs_living,
    ),
    Command(
        "review.verify",
        "v",
        "Prove again",
        "Put it through all gates once more.",
        "verify",
        where="review",
        refusal=needs_living,
    ),
    Command(
        "review.hole",
        "n,right,l",
        "Next value",
        "The next value that differs between runs, and where it comes from.",
        "hole(1)",
        where="review",
        footer="value",
    ),
    Command(
        "review.hole_before",
        "N,left,h",
        "Value before",
        "The same, the other way round.",
        "hole(-1)",
        where="review",
    ),
    Command(
        "review.difference",
        "d",
        "Difference",
        "What differs from the content that was approved last.",
        "face('difference')",
        where="review",
        footer="diff",
        refusal=needs_difference,
    ),
    Command(
        "review.whole",
        "f",
        "Whole source",
        "All lines of the program, not only those that were made for this task.",
        "face('whole')",
        where="review",
        footer="full",
    ),
    Command(
        "review.pane",
        "tab",
        "Next pane",
        "Program, evidence, facts.",
        "pane(1)",
        where="review",
        footer="pane",
    ),
    Command(
        "review.pane_before",
        "shift+tab",
        "Pane before",
        "The same, the other way round.",
        "pane(-1)",
        where="review",
    ),
    Command(
        "screen.spend",
        "dollar_sign",
        "Spend",
        "What was spent, by run, agent, model, project, day or tool.",
        "app.spend",
        where="app",
        footer="spend",
    ),
    Command(
        "spend.back",
        "escape",
        "Back",
        "Out of what was drilled into, then out of the screen.",
        "back",
        where="spend",
        footer="back",
    ),
    Command(
        "spend.drill",
        "enter",
        "Drill down",
        "The runs of an agent, a model or a project, the agents of a day; a run opens.",
        "drill",
        where="spend",
        footer="drill",
    ),
    Command(
        "spend.group",
        "tab,right,l",
        "Next grouping",
        "By run, agent, model, project, day, tool.",
        "group(1)",
        where="spend",
        footer="group",
    ),
    Command(
        "spend.group_back",
        "shift+tab,left,h",
        "Grouping before",
        "The same, the other way round.",
        "group(-1)",
        where="spend",
    ),
    Command(
        "spend.longer",
        "right_square_bracket",
        "Longer period",
        "Today, 7 days, 30 days, all.",
        "period(1)",
        where="spend",
        footer="period",
    ),
    Command(
        "spend.shorter",
        "left_square_bracket",
        "Shorter period",
        "The same, the other way round.",
        "period(-1)",
        where="spend",
    ),
    Command(
        "read.back",
        "escape",
        "Back",
        "Out of the search, then out of the run.",
        "back",
        where="run",
        footer="back",
    ),
    Command(
        "read.fold",
        "enter,space",
        "Unfold",
        "All of an entry: arguments, output, diff; or fold it again.",
        "fold",
        where="run",
        footer="unfold",
    ),
    Command(
        "read.fold_all",
        "t",
        "Unfold all",
        "Everything unfolded, or folded again.",
        "fold_all",
        where="run",
        footer="all",
    ),
    Command(
        "read.follow",
        "f",
        "Follow",
        "Stay at the end while the run goes on; looking back ends it.",
        "follow",
        where="run",
        footer="follow",
    ),
    Command(
        "read.next",
        "n",
        "Next prompt",
        "The next prompt; the next match while a search is on.",
        "step(1)",
        where="run",
        footer="prompt",
    ),
    Command(
        "read.previous",
        "N",
        "Previous prompt",
        "The prompt, or the match, before.",
        "step(-1)",
        where="run",
    ),
    Command(
        "read.search",
        "slash",
        "Search",
        "Words in the loaded pages; n and N step through them.",
        "search",
        where="run",
        footer="search",
    ),
    Command(
        "read.figures",
        "2",
        "Figures",
        "Show or hide the figures; where there is no room for both, in place of the transcript.",
        "figures",
        where="run",
        footer="figures",
    ),
    Command(
        "read.copy",
        "y",
        "Copy",
        "The whole entry, to the terminal's clipboard.",
        "copy",
        where="run",
        footer="copy",
    ),
    Command(
        "read.folder",
        "o",
        "Open folder",
        "The run's project in the desktop's file manager.",
        "folder",
        where="run",
    ),
    Command(
        "screen.theme",
        "T",
        "Theme",
        "Choose a theme; the screen shows it while you move.",
        "app.themes",
        where="app",
    ),
    Command(
        "screen.commands",
        "colon,ctrl+p",
        "Commands",
        "Every command and every run, by a few letters of its name.",
        "app.command_palette",
        where="app",
        footer="commands",
    ),
    Command(
        "screen.help", "question_mark", "Help", "This list.", "app.help", where="app", footer="help"
    ),
    Command(
        "screen.quit",
        "q,ctrl+q",
        "Quit",
        "Close the screen; the runs and the engine go on.",
        "app.quit",
        where="app",
        footer="quit (runs go on)",
    ),
)

BY_ID: Mapping[str, Command] = {command.id: command for command in COMMANDS}

_GLYPHS = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "enter": "⏎",
    "escape": "esc",
    "dollar_sign": "$",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left": "←",
    "right": "→",
    "down": "↓",
    "up": "↑",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


def bindings(where: Where) -> list[Binding]:
    """Textual's bindings of the commands of a screen, or of the app."""
    return [
        Binding(
            command.key,
            f"app.command('{command.id}')",
            command.title,
            show=False,
            id=command.id,
            priority=command.anywhere,
        )
        for command in COMMANDS
        if belongs(command, where)
    ]


def belongs(command: Command, where: Where) -> bool:
    """Whether a command is one of this screen; those of the app belong to the app alone."""
    match command.where:
        case "every":
            return where != "app"
        case "live":
            return where not in ("app", *_OF_SCRIPTS)
    return command.where == where


def keys_of(command: Command, remapped: Mapping[str, str]) -> list[str]:
    """The keys of a command as people write them, the operator's own first."""
    keys = remapped.get(command.id, command.key).split(",")
    return [_GLYPHS.get(key.strip(), key.strip()) for key in keys if key.strip()]


def unknown_keys(remapped: Mapping[str, str]) -> list[str]:
    """A sentence for every remapped id that is no command."""
    return [
        f"keys: {id_} is no command; nearest is {get_close_matches(id_, BY_ID, 1, 0)[0]}"
        for id_ in remapped
        if id_ not in BY_ID
    ]
