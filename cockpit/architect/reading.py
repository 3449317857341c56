"""Steps of an agent read into operations: its tools by table, its shell commands word by word."""

import ast
import fnmatch
import posixpath
import re
import shlex
from collections.abc import Iterator
from datetime import date, timedelta
from urllib.parse import urlsplit

from msgspec import Struct, structs

from cockpit.architect import commands, shell, tools
from cockpit.architect.dates import run_day
from cockpit.architect.operations import Operation
from cockpit.core.trace import Step, Trace

_NUMBERED = re.compile(r"^\s*\d+(?:→|\t|: )", re.MULTILINE)
_IMPORTS_TEXT = """
json re csv sys collections datetime math statistics decimal itertools functools string pathlib
os glob io textwrap operator calendar typing dataclasses fractions time
"""
_IMPORTS = frozenset(_IMPORTS_TEXT.split())
_FORBIDDEN_TEXT = """
system popen exec eval compile __import__ spawn fork kill remove unlink rmtree rmdir rename
replace_file execv execve startfile removedirs putenv
"""
_FORBIDDEN = frozenset(_FORBIDDEN_TEXT.split())
_SILENT = frozenset(("mkdir", "touch", "echo", "printf", "export", "set", "unset", "sleep"))
_SENDS = frozenset(
    (
        *("-d", "--data", "--data-raw", "--data-binary", "-F", "-T", "--json", "--form"),
        *("--data-urlencode", "--post-data", "--upload-file"),
    )
)
_WITH_VALUE = frozenset(
    (
        *("-H", "--header", "-u", "--user", "-m", "--max-time", "--retry", "-A", "--user-agent"),
        *("--connect-timeout", "-w", "--write-out", "-e", "-b", "-x", "--retry-delay"),
    )
)
"""Words of curl and wget that take the next word with them."""
_QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"|([\w./-]+)")


def read_steps(trace: Trace) -> Iterator[Operation]:
    """The operations of every call that succeeded, in order, nothing settled yet."""
    reader = _Reader(trace)
    for step in trace.steps:
        if step.ok:
            yield from reader.step(step)


class _Reader:
    """Follows the directory, the shell's variables and the files that exist by now."""

    def __init__(self, trace: Trace) -> None:
        self.root = posixpath.normpath(trace.root or (trace.world.root if trace.world else "/"))
        self.day = run_day(trace)
        self.known = trace.world is not None
        self.paths = set(trace.world.before.files) if trace.world else set()
        self.made: dict[str, str | None] = {}
        self.removed: set[str] = set()
        self.variables = dict(trace.world.environment) if trace.world else {}
        self.cwd = self.root
        self.now = Step(number=0, tool="")

    def step(self, step: Step) -> Iterator[Operation]:
        self.now = step
        given = step.arguments
        match tools.kind(step.tool):
            case "inward":
                return
            case "shell":
                yield from self._shell(given)
            case "read":
                yield self._read(tools.path(given), _unnumbered(step.output), step.opaque)
            case "write":
                yield self._write(self._path(tools.path(given)), tools.text(given))
            case "edit":
                yield self._edit(given)
            case "patch":
                yield from self._patch(tools.patch(given))
            case "fetch":
                yield self._fetch(given)
            case "list":
                yield self._one("list", self._path(tools.path(given)), output=step.output)
            case "search":
                yield self._one("query", f"search {sorted(given.items())}", output=step.output)
            case _:
                yield self._unknown(f"the tool {step.tool}")

    def _one(self, kind: str, target: str, **more: object) -> Operation:
        if "opaque" not in more:
            more["opaque"] = self.now.opaque
        return Operation(kind=kind, step=self.now.number, target=target, **more)  # type: ignore[arg-type]

    def _unknown(self, why: str, argv: tuple[str, ...] = ()) -> Operation:
        return self._one("unknown", why, argv=argv, why=why, output=self.now.output)

    def _path(self, path: str) -> str:
        """Relative to the workspace, absolute when outside."""
        full = posixpath.normpath(posixpath.join(self.cwd, path or "."))
        if full == self.root:
            return "."
        return full[len(self.root) + 1 :] if full.startswith(self.root + "/") else full

    # -- tools that name a file -------------------------------------------------------------

    def _read(self, path: str, output: str, opaque: str = "") -> Operation:
        part = any(name in self.now.arguments for name in ("offset", "limit"))
        return self._one(
            "read", self._path(path), output=output, opaque=opaque or ("missing" if part else "")
        )

    def _write(self, path: str, text: str | None) -> Operation:
        self.made[path] = text
        self.paths.add(path)
        self.removed.discard(path)
        return self._one("write", path, text=text, opaque="")

    def _edit(self, given: dict[str, object]) -> Operation:
        path = self._path(tools.path(given))
        text = self.made.get(path)
        for old, new, everywhere in tools.edits(given):
            if text is None or old not in text:
                text = None
                break
            text = text.replace(old, new) if everywhere else text.replace(old, new, 1)
        return self._write(path, text)

    def _patch(self, text: str) -> Iterator[Operation]:
        found = re.findall(r"^\*\*\* (Add|Update|Delete) File: (.+)$", text, re.MULTILINE)
        if not found:
            yield self._unknown("a patch in another form")
        for verb, name in found:
            path = self._path(name.strip())
            if verb == "Delete":
                yield self._remove(path)
            else:
                yield self._write(path, _added(text, name) if verb == "Add" else None)

    def _fetch(self, given: dict[str, object]) -> Operation:
        method = tools.method(given)
        if method not in ("GET", "HEAD"):
            return self._one("post", tools.url(given), argv=(method,))
        opaque = self.now.opaque or ("summarised" if given.get("prompt") else "")
        return self._one("get", tools.url(given), output=self.now.output, opaque=opaque)

    def _remove(self, path: str) -> Operation:
        self.paths.discard(path)
        if self.made.pop(path, self) is not self and not self.known:
            return self._one("compute", path)
        self.removed.add(path)
        return self._one("remove", path)

    # -- the shell --------------------------------------------------------------------------

    def _shell(self, given: dict[str, object]) -> Iterator[Operation]:
        where = tools.directory(given)
        self.cwd = posixpath.normpath(posixpath.join(self.root, where)) if where else self.root
        told = tools.command(given)
        if isinstance(told, tuple):
            if len(told) >= 3 and commands.program(told) in commands.SHELLS:
                told = told[-1]
            else:
                told = shlex.join(told)
        yield from self._text(told)

    def _text(self, text: str) -> Iterator[Operation]:
        before = (self.cwd, dict(self.variables), set(self.paths), dict(self.made))
        try:
            pipelines = shell.parse(text)
            done = [one for pipeline in pipelines for one in self._pipeline(pipeline)]
        except shell.UnclearError:
            self.cwd, self.variables, self.paths, self.made = before
            yield from self._unclear(text)
            return
        yield from self._with_output(done)

    def _with_output(self, done: list[Operation]) -> list[Operation]:
        """The output goes to the only operation that can have told it, else to none."""
        telling = [one for one in done if one.output == "*"]
        alone = len(telling) == 1
        return [
            structs.replace(
                one,
                output=self.now.output if alone else "",
                opaque=self.now.opaque if alone else "missing",
            )
            if one.output == "*"
            else one
            for one in done
        ]

    def _unclear(self, text: str) -> Iterator[Operation]:
        """More than commands in a row: harmless when every program in it only reads and redirects."""
        if commands.pure(text):
            yield from self._compute(text)
        else:
            yield self._unknown("a shell text with loops or conditions", (text,))

    def _compute(self, code: str) -> Iterator[Operation]:
        """Reads and writes of code that we do not follow: the world's trees tell what it did."""
        for found in _QUOTED.finditer(code):
            path = self._path(next(part for part in found.groups() if part))
            if path in self.paths and path not in self.made:
                yield self._one("read", path, opaque="missing")
        yield self._one("compute", "", argv=(code,), output="*")

    def _pipeline(self, pipeline: shell.Pipeline) -> Iterator[Operation]:
        if pipeline.after == "||":
            if all(_harmless(simple) for simple in pipeline.commands):
                return
            raise shell.UnclearError
        chain: list[tuple[str, ...]] = []
        done: list[Operation] = []
        for place, simple in enumerate(pipeline.commands):
            argv, operations = self._simple(simple, piped=place > 0)
            done += operations
            if argv:
                chain.append(argv)
        yield from self._told(pipeline, chain, done)

    def _told(
        self, pipeline: shell.Pipeline, chain: list[tuple[str, ...]], done: list[Operation]
    ) -> Iterator[Operation]:
        """The operations of one pipeline; what it printed belongs to its last program."""
        sent = any(redirect.operator[0] == ">" and redirect.number != "2"
                   for redirect in pipeline.commands[-1].redirects)  # fmt: skip
        whole = len(chain) == 1 and not sent
        quiet = all(one.is_effect for one in done) and bool(done)
        for one in done:
            plain = whole and one.kind in ("get", "read", "list", "query") and one.output == "*"
            yield (
                one
                if plain or one.output != "*"
                else structs.replace(one, output="", opaque="missing")
            )
        neutral = all(commands.program(argv) in commands.NEUTRAL for argv in chain)
        covered = whole and any(one.output == "*" for one in done)
        if chain and not neutral and not covered and not sent and not quiet:
            words = " | ".join(shlex.join(argv) for argv in chain)
            yield self._one("query", words, argv=tuple(word for argv in chain for word in argv),
                            output="*")  # fmt: skip

    def _simple(
        self, simple: shell.Simple, *, piped: bool
    ) -> tuple[tuple[str, ...], list[Operation]]:
        for name, word in simple.assigned:
            value = self._value(word)
            if not simple.words:
                self.variables[name] = value
        argv = tuple(part for word in simple.words for part in self._words(word))
        inputs = [one for one in simple.redirects if one.operator == "<"]
        done = [self._one("read", self._path(self._value(one.target)), opaque="missing")
                for one in inputs]  # fmt: skip
        body = next(
            (self._value(one.body) for one in simple.redirects if one.operator == "<<"), None
        )
        fed = piped or body is not None
        if argv:
            done += self._program(argv, body, fed=fed)
        for redirect in simple.redirects:
            done += self._redirected(redirect, argv, body)
        return argv, done

    def _redirected(
        self, redirect: shell.Redirect, argv: tuple[str, ...], body: str | None
    ) -> list[Operation]:
        if redirect.operator not in (">", ">>", ">|", "&>", "&>>"):
            return []
        target = self._value(redirect.target)
        if target.startswith("/dev/") or redirect.number == "2":
            return []
        path = self._path(target)
        text = _printed(argv, body)
        if redirect.operator.endswith(">>"):
            old = self.made.get(path)
            if old is None:
                self.made.setdefault(path, None)
                self.paths.add(path)
                return [self._one("append", path, text=text, opaque="")]
            text = old + text if text is not None else None
        return [self._write(path, text)]

    def _program(self, argv: tuple[str, ...], body: str | None, *, fed: bool) -> list[Operation]:
        name = commands.program(argv)
        if name in commands.SHELLS:
            return self._nested(argv, body)
        if name in _SILENT:
            return []
        match re.sub(r"^python[0-9.]+$", "python", name):
            case "python":
                return self._python(argv, body)
            case "cd":
                self.cwd = posixpath.normpath(
                    posixpath.join(self.cwd, (argv[1:] or (self.root,))[0])
                )
                return []
            case "curl" | "wget":
                return self._curl(argv)
            case "mv" | "cp":
                return self._moved(argv)
            case "rm":
                return self._removed(argv)
            case "tee":
                return self._tee(argv, body)
            case "cat" if not [word for word in argv[1:] if word.startswith("-") and word != "-"]:
                return [self._cat(path) for path in argv[1:] if path != "-"]
        return [self._listed(argv)] if name == "ls" and not fed else self._other(argv)

    def _other(self, argv: tuple[str, ...]) -> list[Operation]:
        if not commands.reads_only(argv):
            return [self._effect(argv)]
        return self._touched(argv)

    def _cat(self, path: str) -> Operation:
        full = self._path(path)
        return self._one("read", full, output="*", opaque="missing" if full in self.made else "")

    def _listed(self, argv: tuple[str, ...]) -> Operation:
        names = [word for word in argv[1:] if not word.startswith("-")]
        return self._one("list", self._path(names[0] if names else "."), output="*")

    def _touched(self, argv: tuple[str, ...]) -> list[Operation]:
        """The files that a reading program names."""
        paths = [self._path(word) for word in argv[1:] if not word.startswith("-")]
        name = commands.program(argv)
        done = [
            self._one("read", path, opaque="missing")
            for path in paths
            if (path in self.paths and path not in self.made)
            or (not self.known and name in ("head", "tail", "less") and not path.isdigit())
        ]
        if name == "find":
            done.append(self._one("list", paths[0] if paths else ".", opaque="missing"))
        return done

    def _effect(self, argv: tuple[str, ...]) -> Operation:
        if name := next((word for word in argv[1:] if self._path(word).startswith("/tmp/")), ""):
            return self._unknown(f"a command that needs {name}", argv)
        return self._one("command", shlex.join(argv), argv=argv, output="*")

    def _nested(self, argv: tuple[str, ...], body: str | None) -> list[Operation]:
        if body is not None and len(argv) == 1:
            return self._inner(body)
        if len(argv) >= 3 and re.fullmatch(r"-[a-z]*c", argv[1]):
            return self._inner(argv[2])
        if len(argv) == 2 and (text := self.made.get(self._path(argv[1]))):
            return self._inner(text)
        return [self._effect(argv)]

    def _inner(self, text: str) -> list[Operation]:
        try:
            pipelines = shell.parse(text)
        except shell.UnclearError:
            return list(self._unclear(text))
        return [one for pipeline in pipelines for one in self._pipeline(pipeline)]

    def _python(self, argv: tuple[str, ...], body: str | None) -> list[Operation]:
        code = body if body is not None and argv[1:] in ((), ("-",)) else None
        if "-c" in argv[1:-1]:
            code = argv[argv.index("-c") + 1]
        elif code is None and len(argv) >= 2:
            code = self.made.get(self._path(argv[1]))
        if argv[1:2] == ("-m",) and argv[2:3] == ("json.tool",):
            return self._touched(argv)
        if code is None:
            return [self._effect(argv)]
        if not harmless_python(code):
            return [self._unknown("a program of the agent's own that may do anything", argv)]
        return list(self._compute(code + "\n" + " ".join(argv[2:])))

    def _curl(self, argv: tuple[str, ...]) -> list[Operation]:
        """A fetch; any word that sends something makes it a post."""
        asked = curl_asked(argv)
        if asked.method != "GET":
            return [self._one("post", asked.url, argv=(asked.method,))]
        saved = asked.out not in ("", "-", "/dev/stdout")
        opaque = "missing" if saved else ""
        got = self._one("get", asked.url, output="" if saved else "*", opaque=opaque)
        if saved and asked.out != "/dev/null":
            return [got, self._write(self._path(asked.out), None)]
        return [got]

    def _moved(self, argv: tuple[str, ...]) -> list[Operation]:
        names = [word for word in argv[1:] if not word.startswith("-")]
        if len(names) < 2 or any(re.search(r"^-[a-zA-Z]*[rRa]", word) for word in argv[1:]):
            raise shell.UnclearError
        target = self._path(names[-1])
        inside = (
            len(names) > 2
            or names[-1].endswith("/")
            or target == "."
            or any(path.startswith(target + "/") for path in self.paths)
        )
        done: list[Operation] = []
        for name in names[:-1]:
            source = self._path(name)
            base = posixpath.basename(source)
            there = posixpath.normpath(posixpath.join(target, base)) if inside else target
            done += self._carried(argv, source, there)
        return done

    def _carried(self, argv: tuple[str, ...], source: str, there: str) -> list[Operation]:
        moving = commands.program(argv) == "mv"
        if source in self.made or source.startswith("/"):
            done = [self._write(there, self.made.get(source))]
            if moving and not source.startswith("/"):
                done.append(self._remove(source))
            return done
        if moving:
            self.paths.discard(source)
        self.paths.add(there)
        return [self._one("move" if moving else "copy", source, destination=there, opaque="")]

    def _removed(self, argv: tuple[str, ...]) -> list[Operation]:
        done: list[Operation] = []
        for word in argv[1:]:
            if word.startswith("-"):
                continue
            path = self._path(word)
            inside = [one for one in self.paths if one == path or one.startswith(path + "/")]
            if path.startswith("/tmp/"):
                continue
            done += [self._remove(one) for one in sorted(inside)]
            if not inside and not self.known:
                done.append(self._remove(path))
        return done

    def _tee(self, argv: tuple[str, ...], body: str | None) -> list[Operation]:
        names = [word for word in argv[1:] if not word.startswith("-")]
        adds = bool({"-a", "--append"} & set(argv))
        if adds:
            return [self._one("append", self._path(name), text=body, opaque="") for name in names]
        return [self._write(self._path(name), body) for name in names]

    # -- words ------------------------------------------------------------------------------

    def _value(self, word: shell.Word) -> str:
        return "".join(self._part(part) for part in shell.flat(word))

    def _part(self, part: shell.Part) -> str:
        match part.kind:
            case "name":
                value = self.variables.get(part.text)
                if part.text == "PWD":
                    value = self.cwd
                if value is None:
                    raise shell.UnclearError
                return value
            case "command":
                return self._substituted(part.text)
        return part.text

    def _substituted(self, text: str) -> str:
        """Only dates and `pwd` can be told without running anything."""
        pipelines = shell.parse(text)
        if len(pipelines) == 1 and len(pipelines[0].commands) == 1:
            argv = tuple(self._value(word) for word in pipelines[0].commands[0].words)
            if commands.program(argv) == "date" and (told := date_told(argv, self.day)):
                return told
            if argv == ("pwd",):
                return self.cwd
        raise shell.UnclearError

    def _words(self, word: shell.Word) -> list[str]:
        """The word, with its pattern matched against the files that exist."""
        parts = shell.flat(word)
        text = self._value(word)
        wild = any(part.kind == "plain" and re.search(r"[*?[]", part.text) for part in parts)
        if not wild and not any(part.kind == "plain" and re.search(r"\{.*,.*\}", part.text)
                                for part in parts):  # fmt: skip
            return [text]
        if not wild:
            raise shell.UnclearError
        base = self._path(text)
        found = sorted(
            path for path in self.paths
            if fnmatch.fnmatchcase(path, base) and path.count("/") == base.count("/")
        )  # fmt: skip
        if not found:
            return [text]
        here = self._path(".")
        return [posixpath.relpath(path, here) if here != "." else path for path in found]


class Asked(Struct, frozen=True):
    """What curl or wget is told: the method (GET also for HEAD), the address, the file for the body."""

    method: str
    url: str
    out: str


def curl_asked(argv: tuple[str, ...]) -> Asked:
    """The words of curl or wget, understood."""
    url, method, out = "", "GET", ""
    saves = argv[0].endswith("wget")
    words = iter(argv[1:])
    for word in words:
        if word in ("-X", "--request"):
            method = next(words, "GET").upper()
        elif word in _SENDS:
            method = "POST" if method == "GET" else method
            next(words, "")
        elif word == "-O" and not saves:
            out = posixpath.basename(urlsplit(argv[-1]).path)
        elif re.fullmatch(r"-[a-zA-Z]*[oO]-?|--output", word):
            out = "-" if word.endswith("-") else next(words, "")
        elif word in _WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            url = word if "://" in word else f"http://{word}"
    if saves and not out:
        out = posixpath.basename(urlsplit(url).path) or "index.html"
    return Asked("GET" if method in ("GET", "HEAD") else method, url, out)


def _harmless(simple: shell.Simple) -> bool:
    argv = tuple(shell.literal(word) or "" for word in simple.words)
    return commands.program(argv) in commands.NEUTRAL and not any(
        one.operator.startswith(">") and one.number != "2" for one in simple.redirects
    )


def _printed(argv: tuple[str, ...], body: str | None) -> str | None:
    """What `echo`, `printf` or a here-document writes, where that is plain."""
    match argv[:1]:
        case ("cat",) if len(argv) == 1:
            return body
        case ("echo",) if argv[1:2] != ("-e",) and argv[1:2] != ("-n",):
            return " ".join(argv[1:]) + "\n"
        case ("echo",) if argv[1:2] == ("-n",):
            return " ".join(argv[2:])
        case ("printf",) if len(argv) == 2 and "%" not in argv[1]:
            return (
                argv[1].replace("\\n", "\n")
                if argv[1].count("\\") == argv[1].count("\\n")
                else None
            )
        case ("printf",) if len(argv) == 3 and argv[1] in ("%s", "%s\\n"):
            return argv[2] + ("\n" if argv[1] == "%s\\n" else "")
    return None


def _unnumbered(output: str) -> str:
    """Without the line numbers that reading tools put in front."""
    lines = output.splitlines(keepends=True)
    if lines and all(_NUMBERED.match(line) for line in lines if line.strip()):
        return "".join(_NUMBERED.sub("", line, count=1) for line in lines)
    return output


def _added(patch: str, name: str) -> str:
    """The text of a file that a patch adds."""
    begin = patch.index(f"*** Add File: {name}")
    lines = patch[begin:].splitlines()[1:]
    kept: list[str] = []
    for line in lines:
        if not line.startswith("+"):
            break
        kept.append(line[1:])
    return "\n".join(kept) + "\n"


def date_told(argv: tuple[str, ...], day: date) -> str:
    """What `date` prints for a day, empty where the hour matters or the words are not known."""
    form, moved = "", timedelta()
    words = iter(argv[1:])
    for word in words:
        if word.startswith("+"):
            form = word[1:]
        elif word in ("-I", "--iso-8601"):
            form = "%F"
        elif word in ("-d", "--date") or word.startswith(("--date=", "-d")):
            told = (
                next(words, "") if word in ("-d", "--date") else re.sub(r"^(--date=|-d)", "", word)
            )
            days = _days(told)
            if days is None:
                return ""
            moved = timedelta(days=days)
        elif word != "-u":
            return ""
    form = form.replace("%F", "%Y-%m-%d").replace("%D", "%m/%d/%y").replace("%-d", "%e")
    if not form or re.search(r"%[^YmdBbAajuVGye]", form):
        return ""
    return (day + moved).strftime(form)


def _days(told: str) -> int | None:
    told = told.strip().lower()
    if told in ("today", "now", ""):
        return 0
    if told in ("yesterday", "tomorrow"):
        return -1 if told == "yesterday" else 1
    found = re.fullmatch(r"([-+]?)\s*(\d+) (day|week)s?( ago)?", told)
    if found is None:
        return None
    size = int(found[2]) * (7 if found[3] == "week" else 1)
    return -size if found[1] == "-" or found[4] else size


def harmless_python(code: str) -> bool:
    """Whether a program can only compute, read files and write files: by its names, never by running it."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return False
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                if any(alias.name.partition(".")[0] not in _IMPORTS for alias in names):
                    return False
            case ast.ImportFrom(module=module):
                if (module or "").partition(".")[0] not in _IMPORTS:
                    return False
            case ast.Name(id=name) | ast.Attribute(attr=name):
                if name in _FORBIDDEN or name.startswith("__"):
                    return False
    return True
