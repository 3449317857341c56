"""What the tools of the agents are called, and where they keep their arguments."""

from typing import Any

_SHELL = """
bash shell exec_command run_shell_command local_shell container.exec execute_command terminal
run_terminal_cmd execute_bash shell_command run_command powershell unified_exec
"""
SHELL = frozenset(_SHELL.split())
READ = frozenset(
    ("read", "read_file", "readfile", "view", "view_file", "open_file", "cat", "read_many_files")
)
WRITE = frozenset(
    ("write", "write_file", "writefile", "create_file", "create", "save_file", "write_to_file")
)
EDIT = frozenset(
    ("edit", "multiedit", "multi_edit", "replace", "str_replace", "edit_file", "replace_in_file")
)
PATCH = frozenset(("apply_patch", "patch", "applypatch"))
FETCH = frozenset(
    ("webfetch", "web_fetch", "fetch", "http_get", "fetch_url", "http_request", "http")
)
LIST = frozenset(
    ("ls", "list", "list_directory", "list_dir", "listdirectory", "glob", "find_files")
)
SEARCH = frozenset(
    ("grep", "search_file_content", "search_files", "codesearch", "ripgrep", "grep_search")
)
_INWARD = """
todowrite todoread todo todo_write write_todos update_plan think thinking plan exitplanmode
toolsearch report_intent set_title ask_user_questions skill bashoutput killshell
deferredtoolplaceholder update_topic complete_task attempt_completion finish
"""
INWARD = frozenset(_INWARD.split())
"""Tools by which an agent only talks to itself."""

_PATHS = ("file_path", "filePath", "absolute_path", "path", "filename", "file", "target_file")
_COMMANDS = ("command", "cmd", "script", "input")
_TEXTS = ("content", "file_text", "contents", "text")
_OLD = ("old_string", "oldString", "old_str", "old")
_NEW = ("new_string", "newString", "new_str", "new")


def kind(tool: str) -> str:
    """What sort of tool this is: shell, read, write, edit, patch, fetch, list, search, inward or ""."""
    name = tool.lower()
    tables = {
        "shell": SHELL, "read": READ, "write": WRITE, "edit": EDIT, "patch": PATCH,
        "fetch": FETCH, "list": LIST, "search": SEARCH, "inward": INWARD,
    }  # fmt: skip
    return next((sort for sort, names in tables.items() if name in names), "")


def _first(arguments: dict[str, Any], names: tuple[str, ...]) -> str:
    found = next((arguments[name] for name in names if isinstance(arguments.get(name), str)), "")
    return str(found)


def path(arguments: dict[str, Any]) -> str:
    return _first(arguments, _PATHS) or _first(arguments, ("dir_path", "directory"))


def text(arguments: dict[str, Any]) -> str:
    return _first(arguments, _TEXTS)


def url(arguments: dict[str, Any]) -> str:
    return _first(arguments, ("url", "uri", "href"))


def method(arguments: dict[str, Any]) -> str:
    return _first(arguments, ("method",)).upper() or "GET"


def directory(arguments: dict[str, Any]) -> str:
    return _first(arguments, ("workdir", "cwd", "directory", "dir_path", "working_directory"))


def command(arguments: dict[str, Any]) -> str | tuple[str, ...]:
    """A shell text, or the words of a program."""
    for name in _COMMANDS:
        found = arguments.get(name)
        if isinstance(found, str):
            return found
        if isinstance(found, list) and all(isinstance(word, str) for word in found):
            return tuple(found)
    return ""


def edits(arguments: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Old text, new text and whether every place is meant, of each edit of a call."""
    several = arguments.get("edits")
    each = several if isinstance(several, list) else [arguments]
    return [
        (
            _first(one, _OLD),
            _first(one, _NEW),
            bool(one.get("replace_all") or one.get("replaceAll")),
        )
        for one in each
        if isinstance(one, dict)
    ]


def patch(arguments: dict[str, Any]) -> str:
    return _first(arguments, ("input", "patch", "patchText", "diff"))
