"""The little projects the demo agents work in: real files in real git repositories."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cockpit.demo.plan import Plan

AUTHOR = {
    "GIT_AUTHOR_NAME": "demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": "demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
    "GIT_CONFIG_NOSYSTEM": "1",
}

_SUBJECTS = ("The parser", "A rule", "Each table", "The report", "A release", "The build")
_VERBS = ("keeps", "names", "rejects", "rounds", "logs", "copies")
_OBJECTS = ("every line", "the old name", "amounts in cents", "empty input", "its version", "dates")

_FILES: dict[str, dict[str, str]] = {
    "port": {"rules/__init__.py": "", "tests/__init__.py": ""},
    "watch": {
        "ci.py": (
            "from pathlib import Path\n\ncount = Path('.builds')\n"
            "number = int(count.read_text()) + 1 if count.exists() else 418\n"
            "count.write_text(str(number))\n"
            "red = [name for name in ('export', 'login') if number % 3]\n"
            "print(f\"Build {number}: {', '.join(red) + ' fail' if red else 'all green'}.\")\n"
        )
    },
    "stuck": {
        "billing.py": "def total(prices):\n    return round(sum(prices) * 1.19, 2)\n",
        "test_billing.py": (
            "import unittest\n\nfrom billing import total\n\n\n"
            "class Total(unittest.TestCase):\n    def test_rounding(self):\n"
            "        self.assertEqual(total([1.05, 2.10, 3.15]), 7.51)\n"
        ),
    },
    "ask": {
        "schema.sql": "create table orders (id int);\ncreate table legacy_orders (id int);\n",
        "report.py": "QUERY = 'select count(*) from legacy_orders'\n",
        "orders.py": "QUERY = 'select * from orders'\n",
    },
    "release": {"changes/1.3.0.md": "# 1.3.0\n\n- the last one that went out\n"},
    "lead": {f"{area}/README.md": f"# {area}\n" for area in ("rules", "tests", "scripts")},
}


def handbook(kilobytes: int) -> str:
    """A project handbook of about that size, always the same."""
    lines, size, number = ["# Handbook"], 0, 0
    while size < kilobytes * 1024:
        number += 1
        subject = _SUBJECTS[number % 6]
        verb = _VERBS[number // 6 % 6]
        line = f"Line {number}: {subject} {verb} {_OBJECTS[number // 36 % 6]}, see section {number % 17}."
        lines.append(line)
        size += len(line) + 1
    return "\n".join(lines) + "\n"


def make_workspace(plan: Plan, directory: Path, home: Path) -> None:
    """Write the project and, where git is installed, commit it on the plan's branch.

    Beside it lies the repository that it is pushed to.
    """
    files = {"README.md": f"# {plan.name}\n", "HANDBOOK.md": handbook(plan.handbook_kb)}
    files |= {".gitignore": "__pycache__/\n.builds\n", **_FILES.get(plan.script, {})}
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    _commit(plan, directory, home)


def _commit(plan: Plan, directory: Path, home: Path) -> None:
    git = shutil.which("git")
    if git is None:
        return
    environment = {**os.environ, **git_identity(home)}
    origin = f"{directory}.git"
    steps = [
        ["init", "-q"],
        ["checkout", "-q", "-b", plan.branch],
        ["add", "-A"],
        ["commit", "-q", "-m", "Start"],
    ]
    if plan.script == "release":
        steps += [["init", "-q", "--bare", origin], ["remote", "add", "origin", origin]]
    for words in steps:
        subprocess.run([git, *words], cwd=directory, env=environment, check=False)


def git_identity(home: Path) -> Mapping[str, str]:
    """Variables under which git commits as the demo and reads no configuration of the user."""
    return {**AUTHOR, "HOME": str(home), "GIT_CONFIG_GLOBAL": os.devnull}
