"""Runs inside a sandbox: many short programs one after the other, each in a process of its own.

A program of its own, standard library only: it is copied beside the jobs and reads them from its argument.
One start of an interpreter serves all jobs, which is what makes trying hundreds of mutants bearable.
"""

import argparse
import collections
import contextlib
import csv
import datetime
import decimal
import hashlib
import http.client
import io
import itertools
import json
import logging
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import string
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
from collections.abc import Callable
from typing import Any

LOADED = (
    argparse, collections, contextlib, csv, datetime, decimal, hashlib, http.client, io, itertools, logging,
    pathlib, re, shutil, socket, statistics, string, tempfile, urllib.parse,
)  # fmt: skip
"""What scripts may import is there before the first of them is forked."""

GIT = (
    ("git", "log", "--all", "--topo-order", "--format=%D%x00%T%x00%an <%ae>%x00%B%x00"),
    ("git", "status", "--porcelain=v1", "-uno", "-z"),
)
"""What a repository says, apart from when it was said."""


def begin(job: dict[str, Any]) -> int:
    """Fork; the child becomes the program."""
    child = os.fork()
    if child:
        return child
    try:
        code = perform(job)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    logging.shutdown()
    os._exit(code)


def perform(job: dict[str, Any]) -> int:
    os.setsid()
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
    os.closerange(3, 64)
    os.chdir(job["work"])
    os.environ.update(job["environment"])
    sys.argv = [job["program"], *job["arguments"]]
    names = {"__name__": "__main__", "__file__": job["program"], "__builtins__": __builtins__}
    try:
        exec(compile(pathlib.Path(job["program"]).read_bytes(), job["program"], "exec"), names)
    except SystemExit as left:
        return exit_code(left.code)
    return 0


def exit_code(told: object) -> int:
    if told is None:
        return 0
    if isinstance(told, int):
        return told & 0xFF
    sys.stderr.write(f"{told}\n")
    return 1


def end(child: int, seconds: float) -> int:
    """The exit code; -1 for a signal, -2 where its time was up."""

    def late(_number: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else -1
    except TimeoutError:
        fell(child)
        os.waitpid(child, 0)
        return -2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        fell(child)


def fell(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def git_state(job: dict[str, Any]) -> list[str]:
    environment = os.environ | job["environment"]
    return [said(list(words), job["work"], environment) for words in GIT]


def said(words: list[str], folder: str, environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            [
                *words[:1],
                "-c",
                "core.fsmonitor=false",
                "-c",
                "core.hooksPath=/dev/null",
                *words[1:],
            ],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"failed: {error}"
    return f"{done.returncode} " + done.stdout.decode("utf-8", "replace")


def results(jobs: list[dict[str, Any]], tell: Callable[[str], None]) -> None:
    for number, job in enumerate(jobs):
        began = time.monotonic()
        codes = (
            [end(begin(job), job["seconds"]) for _ in range(job["times"])] if job["program"] else []
        )
        state = git_state(job) if job["git"] and not any(codes) else []
        took = round((time.monotonic() - began) * 1000)
        tell(json.dumps({"number": number, "codes": codes, "git": state, "took": took}) + "\n")


def main() -> None:
    jobs = json.loads(pathlib.Path(sys.argv[1]).read_text())
    told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    results(jobs, lambda line: (os.write(told, line.encode()), None)[1])


if __name__ == "__main__":
    main()
