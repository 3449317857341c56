"""A rule for tool calls that must wait for the operator; `rules` tells which calls meet it."""

from msgspec import Struct


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call that meets every condition given here waits for the operator.

    `tool` is the whole name of the tool, `text` anything in a command or another text of the input
    (each a regular expression, without regard to case). A command is written plainly when `text`
    looks at it: `git push origin`, without path, `sudo`, and what stands around it. `hosts` are
    names on the network (`*.example.com`; `*` is any but this machine). `outside_workspace`: a path
    of the call lies outside of the workspace, or cannot be told.
    """

    name: str
    tool: str = ""
    text: str = ""
    hosts: tuple[str, ...] = ()
    outside_workspace: bool = False
