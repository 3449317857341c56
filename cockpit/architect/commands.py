"""Programs known by name: what only reads, what changes files, what reaches the world outside."""

import re

from cockpit.core import shell_words

_READS = """
cat head tail less more wc grep egrep fgrep rg ag ls tree stat file du df sort uniq cut tr awk
gawk sed jq yq diff cmp comm join paste md5sum sha1sum sha256sum cksum date echo printf pwd
whoami which test [ true false : basename dirname printenv uname hostname id nl od xxd column
tac rev seq sleep cal bc expr realpath readlink fold fmt cd export set tee xargs find env
curl wget mkdir touch type command unset wait iconv strings zcat gunzip local read
"""
READS = frozenset(_READS.split())
"""Programs that change nothing but what their redirections name; some only with certain words."""
_GIT_READS = """
status log diff show rev-parse describe ls-files blame shortlog rev-list cat-file ls-tree grep
merge-base show-ref for-each-ref name-rev whatchanged cherry reflog count-objects
"""
GIT_READS = frozenset(_GIT_READS.split())
GIT_LISTS = {"branch": (), "tag": ("-l", "--list"), "remote": ("-v",), "stash": ("list",)}
VERSIONS = frozenset(("--version", "-V", "version", "--help"))
NEUTRAL = frozenset(("cd", "pwd", "true", ":", "echo", "printf", "sleep", "export", "set", "mkdir"))
"""Programs whose output nobody needs as a source, unless it is sent to a file."""
_OUTSIDE = """
mail mailx sendmail mutt ssh scp sftp rsync aws gcloud az kubectl helm terraform docker podman
gh glab heroku flyctl vercel netlify twine systemctl service shutdown reboot crontab slack
psql mysql redis-cli mongo sqlcmd stripe
"""
OUTSIDE = frozenset(_OUTSIDE.split())
OUTSIDE_WITH = {
    "git": frozenset(("push",)),
    "npm": frozenset(("publish", "unpublish", "deprecate")),
    "pnpm": frozenset(("publish",)),
    "yarn": frozenset(("publish",)),
    "cargo": frozenset(("publish", "yank")),
    "poetry": frozenset(("publish",)),
    "uv": frozenset(("publish",)),
}
SHELLS = frozenset(("bash", "sh", "zsh", "dash"))


def program(argv: tuple[str, ...]) -> str:
    return argv[0].rpartition("/")[2] if argv else ""


def subcommand(argv: tuple[str, ...]) -> str:
    """The first word that is no option, past `git -C dir` and the like."""
    words = iter(argv[1:])
    for word in words:
        if word in ("-C", "-c", "--git-dir", "--work-tree", "--prefix"):
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def reads_only(argv: tuple[str, ...]) -> bool:
    """Whether the program, with these words, changes nothing."""
    name = program(argv)
    rest = argv[1:]
    if name == "git":
        return _git_reads(argv)
    if len(rest) == 1 and rest[0] in VERSIONS:
        return True
    if name not in READS:
        return False
    return not _writes(name, rest)


def _writes(name: str, rest: tuple[str, ...]) -> bool:
    """Whether a program that usually reads is told to change something."""
    match name:
        case "sed":
            return any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in rest)
        case "awk" | "gawk":
            return bool(re.search(r"system\s*\(|\|\s*getline|print[^|;}]*[>|]|-i", " ".join(rest)))
        case "find":
            return bool({"-exec", "-execdir", "-delete", "-ok", "-fprint", "-fls"} & set(rest))
        case "xargs" | "env" | "command":
            inner = tuple(word for word in rest if "=" not in word)
            while inner and (inner[0].startswith("-") or inner[0].isdigit()):
                inner = inner[1:]
            return bool(inner) and not reads_only(inner)
        case "sort":
            return any(word.startswith(("-o", "--output")) for word in rest)
        case "date":
            return any(word in ("-s", "--set") for word in rest)
    return False


def _git_reads(argv: tuple[str, ...]) -> bool:
    name = subcommand(argv)
    if name in GIT_READS:
        return not any(word.startswith("--output") for word in argv)
    if name == "config":
        return any(word.startswith(("--get", "--list", "-l")) for word in argv)
    if name in GIT_LISTS:
        rest = argv[argv.index(name) + 1 :]
        return not rest or all(word in GIT_LISTS[name] for word in rest[:1])
    return name == ""


def outside(argv: tuple[str, ...]) -> bool:
    """Whether the program reaches beyond this machine, or cannot be taken back."""
    name = program(argv)
    return name in OUTSIDE or subcommand(argv) in OUTSIDE_WITH.get(name, ())


def pure(text: str) -> bool:
    """Whether no program that this shell text could start does more than read and redirect."""
    if re.search(r"\b(?:curl|wget)\b", text):
        return False
    reading = shell_words.read(re.sub(r"\bfor\s+\w+\s+in\b[^;\n]*", "true", text), "/")
    if reading.unclear:
        return False
    harmless = {"do", "done", "in", "fi", "esac", "}", "{", "(", ")", "]]", "[["}
    return all(
        reads_only(simple.words) or simple.words[0] in harmless for simple in reading.commands
    )
