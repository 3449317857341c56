"""`cockpit`: the screen without a word, everything else as a command."""

import gc
import sys


def main() -> None:
    """Opens the screen, or runs the command line; a broken pipe ends it quietly.

    The screen needs no command line: loading one would cost its first paint 60 ms. Neither does
    the hook, which runs before every tool call of an agent.
    """
    gc.disable()  # what a start makes stays: looking for garbage in it is a sixth of its time
    if len(sys.argv) == 1:
        from cockpit.cli.screen import open_screen

        open_screen()
        return
    if sys.argv[1] == "hook":
        from cockpit.cli.hook import main as hook

        hook(sys.argv[2:])
    from cockpit.cli.shell import cockpit

    try:
        cockpit()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    finally:
        gc.freeze()  # or the interpreter looks through all of it once more before it ends: 30 ms
