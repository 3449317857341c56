"""The runner: a small process that owns one agent's tree, and stops it when nobody governs it.

Born by the engine with one connection as its standard input, on which the first frame is the spec
(see `bearing`). Whatever the agent starts stays below this process, for it is a subreaper: the run is
over when the kernel knows of no child any more. `frames` says how to talk to it. Standard library
only: it starts for every run.
"""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from cockpit.engine import bearing, frames, kernel
from cockpit.engine.callers import STALL_SECONDS, Caller, Callers
from cockpit.engine.felling import ORDER, Felling, First
from cockpit.engine.lease import Lease, read_clocks
from cockpit.engine.loop import READ, WRITE, Loop
from cockpit.engine.modes import Modes
from cockpit.engine.vessel import Vessel

TICK_SECONDS = 1.0
DRAIN_SECONDS = 0.3
"""So long after the agent's end a stranger may keep its output open before it is closed."""
FAREWELL_SECONDS = 5.0
"""So long an attached terminal may take to read the end."""
REDRAW_SECONDS = 0.05
PAUSE_SECONDS = 0.2
TAIL_BYTES = 4096
_HEARD = (signal.SIGCHLD, signal.SIGTERM)
_UNHEARD = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTSTP)
_ENGINES = (frames.GO, frames.BEAT, frames.KILL, frames.TELL, frames.FAREWELL)
_ANYBODYS = (frames.END_INPUT, frames.RESIZE, frames.SIGNAL, frames.ASK)
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGCONT)


class Runner:
    """One run, from its spec to its farewell."""

    def __init__(self, spec: dict[str, Any], engine: socket.socket, *, sees_all: bool) -> None:
        """Bears the agent, which waits, and opens the socket; `sees_all`: orphans come to us.

        Raises:
            OSError: when one of them is impossible.
        """
        self.spec = spec
        self.sees_all = sees_all
        self.loop = Loop()
        self.lease = Lease(float(spec["lease"]), read_clocks())
        self.modes = Modes()
        self.felling: Felling | None = None
        self.engine: Caller | None = None
        self.alone = self.exited = self.ended = self.farewelled = self.leaving = False
        self.awaited = bool(spec.get("awaited"))
        self.paused_by_us = self.was_shown = False
        self.spared: frozenset[int] = frozenset()
        self.count = 0
        self.by = "itself"
        self.snapshot: list[list[int]] = []
        bearing.write_files(spec.get("files", {}))
        self.callers = Callers(self.loop, spec["socket"], self._answer, self._typed, self._gone)
        self.vessel = Vessel(spec, self._output, self.loop.forget)
        self.cgroup = bearing.join(spec.get("cgroup", ""), self.vessel.pid)
        self._adopt(Caller(engine))
        self._listen()

    def work(self) -> None:
        """Until the run is over and everybody knows."""
        self.callers.tell_all(frames.said(frames.BORN, **self._born()))
        self._tick()
        while not self.leaving:
            self.loop.turn()
            self._attend_input()
            self._attend_output()
            self._leave_if_over()

    def close(self) -> None:
        """Says on disk how it ended if no engine took notice of it, and closes everything."""
        if not self.farewelled:
            bearing.keep(self.spec["end"], {"code": self.vessel.code, "by": self.by})
        bearing.remove(self.spec["socket"])
        self.vessel.close()
        for caller in list(self.callers.all):
            caller.connection.close()

    def _listen(self) -> None:
        self.loop.on(self.vessel.trouble, READ, self._started)
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self.loop.on(self._wake.fileno(), READ, self._signalled)

    def _tick(self) -> None:
        self.loop.at("tick", TICK_SECONDS, self._tick)
        self._reap()
        self._remember_tree()
        if self.lease.is_over(read_clocks()):
            self._lease_is_over()

    def _lease_is_over(self) -> None:
        if self.ended:
            self.leaving = True
        elif self.felling is None:
            text = f"no engine for {self.lease.seconds:g} s: this run is being stopped"
            self.callers.tell_all(frames.said(frames.TOLD, text=text))
            self._stop("interrupt", "its runner: no engine was there")

    def _leave_if_over(self) -> None:
        if self.ended and self.farewelled and not self.awaited:
            self.leaving = not any(caller.outbox for caller in self._attached())

    def _attached(self) -> list[Caller]:
        return [caller for caller in self.callers.all if caller.role == "attach"]

    # --- deaths

    def _signalled(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in self._wake.recv(4096):
                self._stop("interrupt", "a signal to its runner")
        self._reap()

    def _reap(self) -> None:
        """Takes every death; learns whether any child is left."""
        self.alone = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                self.alone = self.sees_all or not kernel.descendants(os.getpid())
                break
            if pid == 0:
                break
            if self.vessel.is_stopped(pid, status) and not self.paused_by_us:
                self.loop.at("paused", PAUSE_SECONDS, self._paused)
        if self.vessel.code is not None and not self.exited and not self.loop.waits("drained"):
            self._agent_is_gone()
        self._fell()
        self._end_if_alone()

    def _paused(self) -> None:
        if self._rests():
            self.callers.tell_all(frames.frame(frames.PAUSED))

    def _rests(self) -> bool:
        """Whether the agent laid itself to rest as a job does, and was not stopped by us."""
        if self.paused_by_us or self.felling is not None or self.vessel.code is not None:
            return False
        row = kernel.row(self.vessel.pid)
        return row is not None and row.stopped

    def _agent_is_gone(self) -> None:
        self.vessel.let_go()
        self.loop.at("drained", DRAIN_SECONDS, self._drained)
        if not self.vessel.outputs:
            self._drained()

    def _drained(self) -> None:
        """All of the agent's output is here: now its end may be told."""
        if self.exited:
            return
        self.exited = True
        self.loop.cancel("drained")
        self.vessel.close()
        self.callers.tell_all(frames.said(frames.EXITED, code=self.vessel.code))
        if not self._is_empty() and self.spec.get("leftovers", "stop") == "stop":
            self._stop("terminate", self.by)
        self._end_if_alone()

    def _end_if_alone(self) -> None:
        if self.ended or not self.exited or not self._is_empty():
            return
        self.ended = True
        self._remember_tree()
        self.callers.tell_all(self._end())
        self.loop.at("leave", FAREWELL_SECONDS, self._nobody_came)

    def _is_empty(self) -> bool:
        """Whether nobody is left but who is spared."""
        if self.alone or not self.exited:
            return self.alone
        spared = self.spared_now()
        return bool(spared) and not kernel.descendants(os.getpid(), spared)

    def spared_now(self) -> frozenset[int]:
        """Who lives on in the tree: cockpit's own screens, or an engine that was started in there.

        Empty where there is no such process, so that only the kernel's word counts as empty.
        """
        ours = self.spared | ({self.engine.pid} if self.engine is not None else set())
        return frozenset(pid for pid in ours if pid and os.getpid() in kernel.above(pid))

    def _end(self) -> bytes:
        tail = self.vessel.ring.tail(TAIL_BYTES).decode("latin-1")
        return frames.said(frames.ENDED, code=self.vessel.code, by=self.by, tail=tail)

    def _nobody_came(self) -> None:
        self.awaited = False
        for caller in self._attached():
            self.callers.hang_up(caller)

    # --- ending the tree

    def _stop(self, first: First, by: str) -> None:
        """Begins to end the tree, or goes on more firmly."""
        if self.felling is not None and ORDER[self.felling.first] >= ORDER[first]:
            return
        self.by = self.by if self.exited else by
        self.felling = Felling(
            first, self.vessel.living_pid, lambda: self.alone, time.monotonic, self.spared_now()
        )
        self._fell()

    def _fell(self) -> None:
        if self.felling is None:
            return
        wait = self.felling.step()
        if wait is not None:
            self.loop.at("fell", wait, self._reap)
            return
        count = max(self.count, self.felling.count)
        self.felling = None
        self.loop.cancel("fell")
        self.callers.tell_all(frames.said(frames.KILLED, count=count))

    def _kill(self, spare: frozenset[int]) -> None:
        if self.alone:
            self.callers.tell_all(frames.said(frames.KILLED, count=0))
            return
        self.spared = spare
        if self.cgroup and not self.spared_now():
            self.count = len(kernel.descendants(os.getpid()))
            bearing.kill(self.cgroup)
        self.felling = None
        self._stop("kill", "a kill")

    def _remember_tree(self) -> None:
        """Who is in the tree, on disk for an engine that finds this process dead."""
        rows = [] if self.ended else kernel.descendants(os.getpid())
        known = sorted([row.pid, row.ticks, row.sid] for row in rows)
        if known != self.snapshot:
            self.snapshot = known
            bearing.keep(self.spec["tree"], {"rows": known})

    # --- the agent's input and output

    def _started(self) -> None:
        reason = self.vessel.failed()
        if reason:
            self.by = reason
            self.callers.tell_all(frames.said(frames.FAILED, reason=reason))
        elif self.vessel.began:
            self.callers.tell_all(frames.frame(frames.BEGAN))

    def _pull(self, descriptor: int) -> Callable[[], None]:
        def pull() -> None:
            if self.vessel.pull(descriptor):
                return
            if self.vessel.code is not None and not self.vessel.outputs:
                self._drained()

        return pull

    def _output(self, kind: bytes, data: bytes) -> None:
        if self.vessel.terminal is not None:
            self.modes.feed(data)
        self.callers.show(kind, data)

    def _attend_input(self) -> None:
        """Writes the agent's input when it takes some; takes no more in than it can hold."""
        descriptor = self.vessel.input
        if descriptor is not None and self.vessel.has_input:
            self.loop.on(descriptor, WRITE, self._push)
        for caller in self._attached():
            (self.callers.ignore if self.vessel.is_full else self.callers.hear)(caller)

    def _attend_output(self) -> None:
        """Reads as fast as those who are attached, and who do read; waits for nobody who does not."""
        waits = any(caller.is_catching_up for caller in self._attached())
        for descriptor in self.vessel.outputs:
            if waits:
                self.loop.off(descriptor, READ)
            else:
                self.loop.on(descriptor, READ, self._pull(descriptor))
        if waits:
            self.loop.at("catching up", STALL_SECONDS, lambda: None)

    def _push(self) -> None:
        descriptor = self.vessel.input
        self.vessel.push()
        if descriptor is not None and not self.vessel.has_input:
            self.loop.off(descriptor, WRITE)

    # --- callers

    def _adopt(self, caller: Caller) -> None:
        """The newest engine is the engine."""
        before, self.engine = self.engine, caller
        if before is not None and before is not caller:
            self.callers.hang_up(before)
        caller.introduce("engine", watching=bool(self.spec.get("watch")))
        if caller not in self.callers.all:
            self.callers.add(caller)
        self.lease.beat(read_clocks())

    def _gone(self, caller: Caller) -> None:
        if caller is self.engine:
            self.engine = None
            # Nobody knows for sure of an agent that did not begin: it must not.
            self.leaving = self.leaving or not self.vessel.began

    def _answer(self, caller: Caller, kind: bytes, body: dict[str, Any]) -> None:
        if kind == frames.HELLO:
            self._greet(caller, body)
        elif not caller.role:
            self.callers.hang_up(caller)
        elif caller is self.engine and kind in _ENGINES:
            self._obey(kind, body)
        elif kind in _ANYBODYS:
            self._serve(caller, kind, body)
        else:
            raise ValueError(f"{kind!r} is not for {caller.role}")

    def _typed(self, _: Caller, data: bytes) -> None:
        self.vessel.type(data)

    def _obey(self, kind: bytes, body: dict[str, Any]) -> None:
        self.lease.beat(read_clocks())
        if kind == frames.GO:
            self.vessel.begin()
        elif kind == frames.KILL:
            self._kill(frozenset(map(int, body.get("spare", ()))))
        elif kind == frames.TELL and not self.vessel.is_terminal:
            self.callers.tell_all(frames.said(frames.TOLD, text=str(body["text"])))
        elif kind == frames.FAREWELL:
            self.farewelled = self.ended

    def _serve(self, caller: Caller, kind: bytes, body: dict[str, Any]) -> None:
        if kind == frames.END_INPUT and (caller.owner or caller is self.engine):
            self.vessel.end_input()
        elif kind == frames.RESIZE:
            rows, columns = int(body["rows"]), int(body["columns"])
            self._redraw(*((rows, columns) if rows else self.vessel.size()), anew=not rows)
        elif kind == frames.SIGNAL:
            self._signal(caller, body)
        elif kind == frames.ASK:
            self.callers.tell(caller, self._status())

    def _signal(self, caller: Caller, body: dict[str, Any]) -> None:
        number = signal.Signals[body["signal"]]
        if caller is not self.engine and number not in _PASSED_ON:
            raise ValueError(f"an attached terminal may not send {number.name}")
        self.paused_by_us = number == signal.SIGSTOP
        if body.get("to") == "all":
            for row in kernel.descendants(os.getpid()):
                kernel.send(row, number)
        else:
            self.vessel.signal(number, group=body.get("to") != "agent")

    def _greet(self, caller: Caller, body: dict[str, Any]) -> None:
        if body.get("role") == "engine":
            if body.get("secret") != self.spec["secret"]:
                self.callers.tell(caller, frames.said(frames.DENIED, reason="another engine's run"))
                self.callers.hang_up(caller)
                return
            self._adopt(caller)
            self.callers.tell(caller, self._status())
        else:
            self._attach(caller, body)
        if self.exited:
            self.callers.tell(caller, frames.said(frames.EXITED, code=self.vessel.code))
        if self.ended:
            self.callers.tell(caller, self._end())

    def _attach(self, caller: Caller, body: dict[str, Any]) -> None:
        caller.introduce("attach", watching=True, owner=bool(body.get("owner")))
        self.callers.tell(caller, self._status())
        ring, terminal = self.vessel.ring, self.vessel.terminal is not None
        if ring.wrapped and terminal:
            caller.outbox.put(frames.frame(frames.OUTPUT, self.modes.redo()))
        for kind, data in ring.chunks:
            caller.outbox.put_output(kind, data)
        self.callers.flush(caller)
        self.awaited = False
        if self._rests():  # as a shell's fg does
            self.vessel.signal(signal.SIGCONT, group=True)
        rows, columns = int(body.get("rows", 0)), int(body.get("columns", 0))
        if rows and columns:
            self._redraw(rows, columns, anew=self.was_shown)
        self.was_shown = True

    def _redraw(self, rows: int, columns: int, *, anew: bool) -> None:
        """A program draws itself again only when the size of its terminal changes."""
        if anew and rows > 1 and self.vessel.size() == (rows, columns):
            self.vessel.resize(rows - 1, columns)
            self.loop.at("redraw", REDRAW_SECONDS, lambda: self.vessel.resize(rows, columns))
        else:
            self.vessel.resize(rows, columns)

    def _status(self) -> bytes:
        rows, columns = self.vessel.size()
        return frames.said(
            frames.STATUS,
            run=self.spec["run"],
            terminal=self.vessel.is_terminal,
            rows=rows,
            columns=columns,
            code=self.vessel.code,
            began=self.vessel.began,
            ended=self.ended,
            attached=len(self._attached()),
            **self._born(),
        )

    def _born(self) -> dict[str, Any]:
        mine = kernel.row(os.getpid())
        return {
            "pid": self.vessel.pid,
            "ticks": self.vessel.ticks,
            "sid": self.vessel.pid,
            "boot": kernel.boot(),
            "runner": os.getpid(),
            "runner_ticks": mine.ticks if mine else 0,
            "cgroup": self.cgroup,
        }


def main() -> None:
    """Runs one agent to its end."""
    os.umask(0o077)
    engine = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    sees_all = kernel.become_subreaper()
    for number in _HEARD:
        signal.signal(number, lambda *_: None)
    for number in _UNHEARD:
        signal.signal(number, signal.SIG_IGN)
    spec = bearing.receive(engine)
    if spec is None:
        sys.exit(2)
    try:
        runner = Runner(spec, engine, sees_all=sees_all)
    except OSError as error:
        engine.settimeout(1)
        engine.sendall(frames.said(frames.FAILED, reason=f"no runner: {error}"))
        sys.exit(1)
    try:
        runner.work()
    except Exception:
        import traceback  # 5 ms that every other run saves

        traceback.print_exc()
    finally:
        _fell_everything(runner.spared_now())
        runner.close()
        sys.stderr.flush()
        os._exit(0)  # a tidy farewell of the interpreter would cost a panic of many runs a second


def _fell_everything(spared: frozenset[int]) -> None:
    """Nobody outlives a runner, not even one that broke."""

    def is_alone() -> bool:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        return False

    felling = Felling("kill", lambda: None, is_alone, time.monotonic, spared)
    until = time.monotonic() + FAREWELL_SECONDS
    while time.monotonic() < until and (wait := felling.step()) is not None:
        time.sleep(wait)


if __name__ == "__main__":
    main()
