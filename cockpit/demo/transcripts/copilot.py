"""Copilot CLI: `session-state/<session>/events.jsonl` and `workspace.yaml`."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import now
from cockpit.demo.transcripts.lines import Lines, timestamp
from cockpit.demo.turns import Outcome, Turn

CONTEXT_WINDOW = 1_050_000


class CopilotEvents:
    """One session; a turn there is one model call."""

    def __init__(self, plan: Plan, place: Place) -> None:
        self.plan = plan
        directory = Path(place.home, ".copilot", "session-state", plan.session)
        self.lines = Lines(directory / "events.jsonl")
        self.last: str | None = None
        self.turns = 0
        started = timestamp(now())
        (directory / "workspace.yaml").write_text(
            f"id: {plan.session}\ncwd: {place.workspace}\ngit_root: {place.workspace}\n"
            f"branch: {plan.branch}\nname: '{plan.name}'\ncreated_at: {started}\n"
        )
        context = {"cwd": place.workspace, "gitRoot": place.workspace, "branch": plan.branch}
        self._write(
            "session.start",
            sessionId=plan.session,
            version=1,
            producer="copilot-agent",
            copilotVersion="1.0.102",
            startTime=started,
            selectedModel=plan.model,
            context=context,
        )
        self._write("session.title_changed", title=plan.name)

    def prompt(self, text: str) -> None:
        self._write("user.message", content=text, messageId=str(uuid4()))

    def turn(self, turn: Turn) -> None:
        number = str(self.turns)
        self.turns += 1
        self._write("assistant.turn_start", turnId=number)
        self._write("session.usage_record", usage=self._usage(turn))
        requests = [
            {
                "toolCallId": call.id,
                "name": call.name,
                "arguments": call.arguments,
                "type": "function",
            }
            for call in turn.calls
        ]
        self._write(
            "assistant.message",
            messageId=str(uuid4()),
            model=turn.model,
            content=turn.text,
            toolRequests=requests,
            turnId=number,
            apiCallId=turn.id,
        )
        for call in turn.calls:
            self._write(
                "tool.execution_start",
                toolCallId=call.id,
                toolName=call.name,
                arguments=call.arguments,
                turnId=number,
            )

    def _usage(self, turn: Turn) -> dict[str, Any]:
        details = turn.usage.get("prompt_tokens_details") or {}
        output = turn.usage.get("completion_tokens_details") or {}
        return {
            "model": turn.model,
            "inputTokens": turn.usage["prompt_tokens"],
            "outputTokens": turn.usage["completion_tokens"],
            "cacheReadTokens": details.get("cached_tokens", 0),
            "cacheWriteTokens": details.get("cache_write_tokens", 0),
            "reasoningTokens": output.get("reasoning_tokens", 0),
            "cacheTtlSeconds": details.get("cache_ttl_s"),
            "cost": 0.0,
            "duration": turn.ended - turn.started,
            "timeToFirstTokenMs": turn.first_byte - turn.started,
            "isByok": True,
            "maxPromptTokens": CONTEXT_WINDOW,
            "apiCallId": turn.id,
            "apiEndpoint": "/chat/completions",
        }

    def outcomes(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._write(
                "tool.execution_complete",
                toolCallId=outcome.call.id,
                model=self.plan.model,
                turnId=str(self.turns - 1),
                success=outcome.ok,
                result={"content": outcome.output},
            )
        self._write("assistant.turn_end", turnId=str(self.turns - 1))

    def idle(self, turn: Turn) -> None:  # noqa: ARG002 - the same for every turn
        self._write("assistant.turn_end", turnId=str(self.turns - 1))

    def compacted(self, before: int) -> None:
        self._write("session.compaction_complete", preCompactionTokens=before, success=True)

    def interrupted(self, partial: Turn | None) -> None:  # noqa: ARG002 - no part is kept
        self._write("abort", reason="user initiated")

    def close(self) -> None:
        self._write("session.shutdown", shutdownType="routine")
        self.lines.close()

    def _write(self, kind: str, **data: Any) -> None:  # noqa: ANN401 - fields of the event
        unique = str(uuid4())
        head = {"type": kind, "data": data, "id": unique, "timestamp": timestamp(now())}
        self.lines.write({**head, "parentId": self.last})
        self.last = unique
