"""A diff, where an agent tells only the text before and after."""

from cockpit.agents import loose

LINE_LIMIT = 800
"""Comparing longer texts takes longer than anybody wants to wait for a transcript."""


def difference(before: object, after: object, path: str) -> str:
    """Both texts as a unified diff, empty when there is none or a text is too long."""
    import difflib  # only a transcript with edits needs it

    old, new = loose.text(before).splitlines(), loose.text(after).splitlines()
    if len(old) > LINE_LIMIT or len(new) > LINE_LIMIT:
        return ""
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="")
    return loose.body("\n".join(lines))
