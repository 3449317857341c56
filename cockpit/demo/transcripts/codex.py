"""Codex: a rollout of typed lines, with one `token_usage_record` per answer."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import now
from cockpit.demo.transcripts.lines import Lines, timestamp
from cockpit.demo.turns import Outcome, Turn

CONTEXT_WINDOW = 1_050_000
USAGE = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "total_tokens",
)


class CodexRollout:
    """`sessions/<year>/<month>/<day>/rollout-<time>-<thread>.jsonl`."""

    def __init__(self, plan: Plan, place: Place) -> None:
        self.plan, self.place = plan, place
        started = datetime.fromtimestamp(now() / 1000, UTC)
        directory = Path(place.home, ".codex", "sessions", f"{started:%Y}", f"{started:%m}")
        name = f"rollout-{started:%Y-%m-%dT%H-%M-%S}-{plan.session}.jsonl"
        self.lines = Lines(directory / f"{started:%d}" / name)
        self.ordinal, self.turn_id, self.turn_started = 0, "", 0
        self.thread = dict.fromkeys(USAGE, 0)
        self.in_turn = dict.fromkeys(USAGE, 0)
        self.last = dict.fromkeys(USAGE, 0)
        self._write("session_meta", self._meta())

    def _meta(self) -> dict[str, Any]:
        return {
            "session_id": self.plan.session,
            "id": self.plan.session,
            "timestamp": timestamp(now()),
            "cwd": self.place.workspace,
            "originator": "codex_exec",
            "cli_version": "0.169.0",
            "source": "exec",
            "thread_source": "user",
            "model_provider": "demo",
            "git": {"branch": self.plan.branch},
        }

    def prompt(self, text: str) -> None:
        self.turn_id, self.turn_started = str(uuid4()), now()
        self.in_turn = dict.fromkeys(USAGE, 0)
        started = self.turn_started // 1000
        window = {"started_at": started, "model_context_window": CONTEXT_WINDOW}
        self._event("task_started", turn_id=self.turn_id, root_turn_id=self.turn_id, **window)
        context = {"turn_id": self.turn_id, "cwd": self.place.workspace}
        self._write("turn_context", {**context, "model": self.plan.model, "summary": "none"})
        self._message("user", "input_text", text)
        content = [{"type": "text", "text": text}]
        self._item({"type": "UserMessage", "id": str(uuid4()), "content": content})

    def turn(self, turn: Turn) -> None:
        if turn.text:
            content = [{"type": "Text", "text": turn.text}]
            self._item({"type": "AgentMessage", "id": turn.id, "content": content})
            self._message("assistant", "output_text", turn.text)
        for call in turn.calls:
            self._write(
                "response_item",
                {
                    "type": "function_call",
                    "status": "completed",
                    "name": call.name,
                    "arguments": _json(call.arguments),
                    "call_id": call.id,
                },
            )
        self._usage(turn)

    def _usage(self, turn: Turn) -> None:
        self.last = _usage(turn.usage)
        for name, amount in self.last.items():
            self.thread[name] += amount
            self.in_turn[name] += amount
        details = turn.usage.get("input_tokens_details") or {}
        record = {
            "thread_id": self.plan.session,
            "turn_id": self.turn_id,
            "session_id": self.plan.session,
            "root_turn_id": self.turn_id,
            "response_id": turn.id,
            "usage": dict(self.last),
            "turn_token_usage": dict(self.in_turn),
            "thread_token_usage": dict(self.thread),
            "cache_ttl_s": details.get("cache_ttl_s"),
        }
        self._write("token_usage_record", record)

    def outcomes(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._item(self._execution(outcome))
            output = {"call_id": outcome.call.id, "output": outcome.with_code}
            self._write("response_item", {"type": "function_call_output", **output})
        self._token_count()

    def _execution(self, outcome: Outcome) -> dict[str, Any]:
        took = outcome.ended - outcome.started
        return {
            "type": "CommandExecution",
            "id": outcome.call.id,
            "command": ["/bin/bash", "-c", str(outcome.call.arguments.get("cmd", ""))],
            "cwd": f"file://{self.place.workspace}",
            "status": "completed" if outcome.ok else "failed",
            "aggregated_output": outcome.output,
            "exit_code": outcome.code,
            "duration": {"secs": took // 1000, "nanos": took % 1000 * 1_000_000},
        }

    def _token_count(self) -> None:
        info = {
            "total_token_usage": dict(self.thread),
            "last_token_usage": dict(self.last),
            "model_context_window": CONTEXT_WINDOW,
        }
        self._event("token_count", info=info)

    def idle(self, turn: Turn) -> None:
        self._token_count()
        self._event(
            "task_complete",
            turn_id=self.turn_id,
            last_agent_message=turn.text,
            started_at=self.turn_started // 1000,
            completed_at=now() // 1000,
            duration_ms=now() - self.turn_started,
            time_to_first_token_ms=turn.first_byte - turn.started,
        )

    def compacted(self, before: int) -> None:  # noqa: ARG002 - rollouts do not say it
        self._write("compacted", {"message": "", "replacement_history": []})

    def interrupted(self, partial: Turn | None) -> None:  # noqa: ARG002 - a rollout keeps no part
        self._message("user", "input_text", "<turn_aborted>\nThe user interrupted the turn.\n")
        self._event(
            "turn_aborted",
            turn_id=self.turn_id,
            root_turn_id=self.turn_id,
            reason="interrupted",
            started_at=self.turn_started // 1000,
            completed_at=now() // 1000,
            duration_ms=now() - self.turn_started,
        )

    def close(self) -> None:
        self.lines.close()

    def _message(self, role: str, kind: str, text: str) -> None:
        content = [{"type": kind, "text": text}]
        self._write("response_item", {"type": "message", "role": role, "content": content})

    def _item(self, item: dict[str, Any]) -> None:
        where = {"thread_id": self.plan.session, "turn_id": self.turn_id}
        self._event("item_completed", **where, item=item, completed_at_ms=now())

    def _event(self, kind: str, **more: Any) -> None:  # noqa: ANN401 - fields of the event
        self._write("event_msg", {"type": kind, **more})

    def _write(self, kind: str, payload: dict[str, Any]) -> None:
        head = {"timestamp": timestamp(now()), "ordinal": self.ordinal, "type": kind}
        self.lines.write({**head, "payload": payload})
        self.ordinal += 1


def _usage(usage: dict[str, Any]) -> dict[str, int]:
    details = usage.get("input_tokens_details") or {}
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
    return {
        "input_tokens": usage["input_tokens"],
        "cached_input_tokens": details.get("cached_tokens", 0),
        "cache_write_input_tokens": details.get("cache_write_tokens", 0),
        "output_tokens": usage["output_tokens"],
        "reasoning_output_tokens": reasoning,
        "total_tokens": usage["total_tokens"],
    }


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
