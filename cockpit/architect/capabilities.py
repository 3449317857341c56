"""All that a script may touch: what the runs touched, and of that only what it uses."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from cockpit.architect.commands import program, subcommand
from cockpit.architect.effects import Act
from cockpit.architect.evidence import Run, Source
from cockpit.architect.filled import Filled, is_path
from cockpit.architect.operations import untold
from cockpit.core.script import Capabilities


def capabilities(runs: Sequence[Run], kept: Sequence[Source]) -> Capabilities:
    """Of the hosts, files and commands that the runs touched, those that the script uses."""
    hosts: set[str] = set()
    read: set[str] = set()
    commands: set[str] = set()
    for one in kept:
        match one.kind:
            case "get":
                hosts |= {urlsplit(words[0]).netloc for words in one.targets}
            case "read":
                read.add(pattern(one.target[0]))
            case "list":
                folder = pattern(one.target[0])
                read.add("*" if folder == "." else f"{folder}/*")
            case "query":
                commands |= {_command(words) for words in one.targets}
    write: set[str] = set()
    for act in (act for run in runs for act in run.acts):
        if act.kind == "command":
            commands.add(_command(act.words))
        read |= {masked_pattern(path, act.told) for path in _reads(act)}
        write |= {masked_pattern(path, act.told) for path in _writes(act)}
    return Capabilities(
        hosts=tuple(sorted(hosts)),
        methods=("GET",) if hosts else (),
        read=tuple(sorted(_general(read))),
        write=tuple(sorted(_general(write))),
        commands=tuple(sorted(commands)),
    )


def _reads(act: Act) -> tuple[str, ...]:
    if act.kind in ("copy", "move"):
        return act.words[:1]
    return act.words[:1] if act.kind == "write" and act.before is not None else ()


def _writes(act: Act) -> tuple[str, ...]:
    match act.kind:
        case "write" | "remove":
            return act.words[:1]
        case "copy":
            return act.words[1:]
        case "move":
            return act.words
    return ()


def pattern(target: Filled) -> str:
    """The path with a star for every value."""
    return "".join(
        part if isinstance(part, str) else "**" if is_path(part) else "*" for part in target.parts
    )


def masked_pattern(path: str, told: Sequence[str] = ()) -> str:
    """The path with a star for dates, numbers and what the prompt told."""
    path = re.sub(r"\*[*.\-]*\*", "*", re.sub(r"\d[\d.\-]*\d|\d", "*", untold(path, told)))
    return path.replace("<I>", "**" if any("/" in value for value in told) else "*")


def _general(paths: set[str]) -> set[str]:
    """More than three files of one folder are all files of that ending in it."""
    folders: dict[tuple[str, str], set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault((folder, name.rpartition(".")[2] if "." in name else ""), set()).add(
            path
        )
    found: set[str] = set()
    for (folder, ending), each in folders.items():
        if len(each) > 2:
            found.add(
                f"{folder}/*.{ending}"
                if folder and ending
                else f"{folder}/*"
                if folder
                else f"*.{ending}"
            )
        else:
            found |= each
    return found


def _command(words: tuple[str, ...]) -> str:
    told = f"{program(words)} {subcommand(words)}" if program(words) == "git" else program(words)
    return told.strip()
