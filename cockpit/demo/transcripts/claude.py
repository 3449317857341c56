"""Claude Code: `projects/<cwd>/<session>.jsonl`, sub-agents beside it, a registry of live sessions."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import now
from cockpit.demo.transcripts.lines import Lines, dashed, timestamp
from cockpit.demo.turns import Outcome, RefusedError, Turn

VERSION = "2.1.330"
"""The version whose format this is."""


class ClaudeTranscript:
    """One session, or one sub-agent of it when `agent` is given."""

    def __init__(self, plan: Plan, place: Place, agent: str = "") -> None:
        self.plan, self.place, self.agent = plan, place, agent
        project = Path(place.home, ".claude", "projects", dashed(place.workspace))
        name = f"{plan.session}/subagents/agent-{agent}" if agent else plan.session
        self.lines = Lines(project / f"{name}.jsonl")
        self.last: str | None = None
        self.registry = None if agent else Registry(plan, place)
        self.titled = bool(agent)

    def described(self, tool_use: str, description: str, *, finished: bool = False) -> None:
        """The sidecar file that ties a sub-agent to the call that started it."""
        sidecar = self.lines.path.with_suffix(".meta.json")
        meta = {
            "agentType": "general-purpose",
            "description": description,
            "toolUseId": tool_use,
            "spawnDepth": 1,
            "model": self.plan.model,
            **({"finished": True} if finished else {}),
        }
        sidecar.write_bytes(msgspec.json.encode(meta))

    def prompt(self, text: str) -> None:
        self._status("busy")
        self._write("user", message={"role": "user", "content": text})
        if not self.titled:
            title = {"type": "ai-title", "aiTitle": self.plan.name}
            self.lines.write({**title, "sessionId": self.plan.session})
            self.titled = True

    def turn(self, turn: Turn) -> None:
        for index, part in enumerate(_content(turn)):
            self._assistant(turn, index, part)

    def _assistant(self, turn: Turn, index: int, part: dict[str, Any]) -> None:
        """One line per content block, each with the usage of the whole answer."""
        reason = "tool_use" if turn.calls else "end_turn"
        message = {
            "id": turn.id,
            "type": "message",
            "role": "assistant",
            "model": turn.model,
            "content": [part],
            "stop_reason": reason if turn.complete else None,
            "stop_sequence": None,
            "usage": turn.usage,
        }
        marks = {} if turn.complete else {"isAbortedMidStream": True}
        self._write(
            "assistant",
            message=message,
            apiBlockIndex=index,
            requestedModel=turn.model,
            promptCacheRequested="5m",
            **marks,
        )

    def outcomes(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            result = {
                "tool_use_id": outcome.call.id,
                "type": "tool_result",
                "content": outcome.output,
                "is_error": not outcome.ok,
            }
            self._write("user", message={"role": "user", "content": [result]})

    def idle(self, turn: Turn) -> None:
        duration = turn.ended - turn.started
        self._write("system", subtype="turn_duration", durationMs=duration, isMeta=False)
        self._status("idle")

    def compacted(self, before: int) -> None:
        self._write(
            "system",
            subtype="compact_boundary",
            content="Conversation compacted",
            compactMetadata={"trigger": "auto", "preTokens": before},
        )

    def interrupted(self, partial: Turn | None) -> None:
        if partial is not None and partial.id:
            self.turn(partial)
        text = {"type": "text", "text": "[Request interrupted by user]"}
        self._write("user", message={"role": "user", "content": [text]})

    def refused(self, error: RefusedError) -> None:
        """What Claude Code writes when a call came to nothing, before it ends."""
        message = {
            "id": str(uuid4()),
            "role": "assistant",
            "model": "<synthetic>",
            "content": [{"type": "text", "text": str(error)}],
            "stop_reason": "stop_sequence",
        }
        marks = {"isApiErrorMessage": True, "apiErrorStatus": error.status}
        self._write("assistant", message=message, **marks)

    def steps(self) -> int:
        """How many tool calls this session has had so far."""
        return self.lines.path.read_bytes().count(b'"type":"tool_result"')

    def close(self) -> None:
        self.lines.close()
        if self.registry is not None:
            self.registry.remove()

    def _status(self, status: str) -> None:
        if self.registry is not None:
            self.registry.write(status)

    def _write(self, kind: str, **more: Any) -> None:  # noqa: ANN401 - fields of the line
        unique = str(uuid4())
        line = {
            "parentUuid": self.last,
            "isSidechain": bool(self.agent),
            **({"agentId": self.agent} if self.agent else {}),
            "type": kind,
            **more,
            "uuid": unique,
            "timestamp": timestamp(now()),
            "userType": "external",
            "entrypoint": "cli",
            "cwd": self.place.workspace,
            "sessionId": self.plan.session,
            "version": VERSION,
            "gitBranch": self.plan.branch,
        }
        self.lines.write(line)
        self.last = unique


def _content(turn: Turn) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": turn.text}] if turn.text or not turn.calls else []
    return text + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in turn.calls
    ]


class Registry:
    """`sessions/<pid>.json`: what Claude Code keeps while a session lives."""

    def __init__(self, plan: Plan, place: Place) -> None:
        directory = Path(place.home, ".claude", "sessions")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = directory / f"{os.getpid()}.json"
        self.entry = {
            "pid": os.getpid(),
            "sessionId": plan.session,
            "cwd": place.workspace,
            "startedAt": now(),
            "procStart": process_start(),
            "version": VERSION,
            "kind": "interactive",
            "entrypoint": "cli",
            "name": plan.name,
        }

    def write(self, status: str) -> None:
        entry = {**self.entry, "status": status, "updatedAt": now(), "statusUpdatedAt": now()}
        temporary = self.path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(entry))
        temporary.replace(self.path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def process_start() -> str:
    """This process's start in clock ticks since boot, as the kernel tells it; empty elsewhere."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19]
