"""The commands of `cockpit`, each loaded when it is called."""

import gc
import importlib

import click

from cockpit import __version__

_COMMANDS = {
    "demo": ("demo", "A simulated provider and a small fleet, on a machine with nothing."),
    "ps": ("fleet", "Every run, one line each."),
    "show": ("fleet", "One run in detail."),
    "spend": ("spend", "What was spent, by run, agent, model, project, day or tool."),
    "tasks": ("tasks", "Work that repeats, and what a script could do of it."),
    "stop": ("act", "Stop runs; done when nothing of them is left alive."),
    "panic": ("act", "Stop everything that can be signalled, at once."),
    "budget": ("act", "Cap a run: money, time, tokens, turns."),
    "caps": ("caps", "What fleet, month, day and projects may spend, and who may spend it."),
    "run": ("run", "Run an agent behind the gateway, with a budget of its own."),
    "attach": ("attach", "Take the terminal of a run."),
    "pause": ("steer", "Hold the next model call of runs."),
    "resume": ("steer", "Let paused or deferred runs go on."),
    "say": ("steer", "Say a word to a live run."),
    "answer": ("steer", "Answer a tool call that waits for your yes or no."),
    "script": ("script", "Scripts that replaced repeated tasks: review, approve, run, schedule."),
    "key": ("key", "Keys of model providers: set, list, test."),
    "engine": ("engine", "The background process: start, stop, status, log."),
    "doctor": ("doctor", "What was found, what works here, and the fix for what does not."),
    "themes": ("themes", "The color themes and where yours go."),
    "prices": ("prices", "What a model costs."),
}


class _Lazy(click.Group):
    """Knows its commands by name; loads only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cockpit.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__)
@click.pass_context
def cockpit(ctx: click.Context) -> None:
    """See every AI agent on this machine, what it costs, and stop what must stop.

    Without a command: the screen. It starts the engine when none is running; quitting the screen
    stops nothing.
    """
    if ctx.invoked_subcommand is None:
        from cockpit.cli.screen import open_screen

        open_screen()
