"""The one table of commands: it makes the key bindings, the footer, the palette and the help."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct
from textual.binding import Binding

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

Where = Literal["app", "live", "fleet", "run", "spend"]
"""The screen that has a command; `live` is every screen that shows runs."""


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
        where="live",
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
    Command("cursor.down", "j,down", "Down", "The next run or entry.", "move(1)", where="live"),
    Command("cursor.up", "k,up", "Up", "The run or entry before.", "move(-1)", where="live"),
    Command(
        "cursor.page_down", "pagedown", "Page down", "A page further.", "page(1)", where="live"
    ),
    Command("cursor.page_up", "pageup", "Page up", "A page back.", "page(-1)", where="live"),
    Command("cursor.first", "g,home", "First", "The first run or entry.", "go(0)", where="live"),
    Command("cursor.last", "G,end", "Last", "The last run or entry.", "go(-1)", where="live"),
    Command("pane.fleet", "1", "Fleet pane", "Show or hide the table.", "pane('fleet')"),
    Command(
        "pane.focus", "2", "Focus pane", "Show or hide the run under the cursor.", "pane('focus')"
    ),
    Command("pane.events", "3", "Events pane", "Show or hide the event feed.", "pane('events')"),
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
        if command.where == where or (command.where == "live" and where != "app")
    ]


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
