"""Real processes that do not want to end. Each script prints its pids, then `ready`."""

import contextlib
import os
import signal
import subprocess
import sys
import uuid

import psutil

PLAIN = """
sleep(600)
"""

WITH_CHILDREN = """
spawn("sleep(600)"); spawn("sleep(600)")
sleep(600)
"""

ORPHAN_IN_GROUP = """
spawn('spawn("sleep(600)"); os._exit(0)').wait()
sleep(600)
"""

SETSID_CHILD = """
spawn("os.setsid(); tell(); sleep(600)")
sleep(600)
"""

DAEMON = """
spawn('os.setsid(); spawn("tell(); sleep(600)"); os._exit(0)').wait()
sleep(600)
"""

LEADERLESS_SESSION = """
spawn('os.setsid(); spawn("tell(); sleep(600)"); spawn("tell(); sleep(600)", wiped=True);'
      'os._exit(0)').wait()
sleep(600)
"""

DEAF = """
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
spawn("sleep(600)")
sleep(600)
"""

STOPPED = """
child = spawn("sleep(600)")
os.kill(child.pid, signal.SIGSTOP)
READY()
os.kill(os.getpid(), signal.SIGSTOP)
"""

RESPAWNER = """
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
child = None
READY()
while True:
    if child is None or child.poll() is not None:
        child = spawn("os.setsid(); sleep(600)")
    time.sleep(0.005)
"""

GRANDCHILD = """
spawn("os.setsid(); tell(); spawn('os.setsid(); tell(); time.sleep(600)'); time.sleep(600)")
sleep(600)
"""

LAST_WILL = """
def bequeath(*_):
    spawn("tell(); sleep(600)", session=True)
    time.sleep(0.3)
    os._exit(0)
signal.signal(signal.SIGINT, bequeath)
sleep(600)
"""

LAST_WILL_AT_TERM = """
def bequeath(*_):
    spawn("tell(); sleep(600)", session=True)
    time.sleep(0.3)
    os._exit(0)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, bequeath)
sleep(600)
"""

STOPPED_ELSEWHERE = """
child = spawn("tell(); sleep(600)", session=True)
time.sleep(0.2)
os.kill(child.pid, signal.SIGSTOP)
sleep(600)
"""

SLOW_TO_SAVE = """
def save(*_):
    time.sleep(0.4)
    open(sys.argv[2], "w").write("saved")
    os._exit(0)
signal.signal(signal.SIGINT, save)
sleep(600)
"""

LEADER_THREAD_GONE = """
import ctypes, threading
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)
threading.Thread(target=time.sleep, args=(600,)).start()
READY()
ctypes.CDLL(None).syscall(60, 0)  # exit(2) ends this thread alone
"""

OTHER_USER = """
if not os.fork():
    os.setuid(65534); tell(); time.sleep(600)
sleep(600)
"""

_PRELUDE = """
import os, signal, subprocess, sys, time
def tell(): os.write(1, b"%d\\n" % os.getpid())
def READY(): os.write(1, b"ready\\n")
def spawn(code, session=False, wiped=False):
    kept = {"COCKPIT_TEST": os.environ["COCKPIT_TEST"]} if wiped else None
    return subprocess.Popen([sys.executable, "-SE", "-c", PRELUDE + code, PRELUDE],
                            start_new_session=session, env=kept)
def sleep(seconds):
    if len(sys.argv) > 3: READY()
    time.sleep(seconds)
PRELUDE = sys.argv[1]
"""

OTHER_USER_FOLLOWS = """
parent = os.getpid()
if not os.fork():
    os.setuid(65534); tell()
    while os.getppid() == parent: time.sleep(0.01)
    time.sleep(0.2)
    os._exit(0)
sleep(600)
"""

HEARS = """
def hear(name): signal.signal(signal.SIGINT, lambda *_: os.write(1, name))
hear(b"agent heard\\n")
spawn('signal.signal(signal.SIGINT, lambda *_: os.write(1, b"tool heard\\\\n")); tell(); sleep(600)')
while True: sleep(600)
"""

MARK = "COCKPIT_TEST"


class Hostile:
    """Starts scripts, and cleans up whatever of them is left at the end of a test."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, script, *, pids=0, session=True, group=None, argument="", **environment):
        """The process, once it said `ready` and that many of its children told their pids."""
        process = subprocess.Popen(
            [sys.executable, "-SE", "-c", _PRELUDE + script, _PRELUDE, argument, "top"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=session,
            process_group=group,
            env={**os.environ, MARK: self.mark, **environment},
        )
        self.started.append(process)
        lines = [process.stdout.readline().strip() for _ in range(pids + 1)]
        return process, [int(line) for line in lines if line != b"ready"]

    def alive(self):
        """Pids of everything that carries this test's mark and is not a zombie."""
        rows = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self.mark and process.status() != "zombie":
                    rows.append(process.pid)
        return rows

    def clean_up(self):
        while left := self.alive():
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.kill()
            process.wait()
            process.stdout.close()
