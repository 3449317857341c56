"""Qwen Code: `projects/<cwd>/chats/<session>.jsonl`, cached tokens inside the prompt count."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import now
from cockpit.demo.transcripts.lines import Lines, dashed, timestamp
from cockpit.demo.turns import Outcome, Turn

CONTEXT_WINDOW = 32_768


class QwenChat:
    """One session."""

    def __init__(self, plan: Plan, place: Place) -> None:
        self.plan, self.place = plan, place
        project = Path(place.home, ".qwen", "projects", dashed(place.workspace))
        self.lines = Lines(project / "chats" / f"{plan.session}.jsonl")
        self.last: str | None = None

    def prompt(self, text: str) -> None:
        self._write("user", "real_user", message={"role": "user", "parts": [{"text": text}]})

    def turn(self, turn: Turn) -> None:
        parts: list[dict[str, Any]] = [{"text": turn.text}] if turn.text else []
        parts += [
            {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}}
            for call in turn.calls
        ]
        prompt, output = turn.usage["prompt_eval_count"], turn.usage["eval_count"]
        usage = {
            "promptTokenCount": prompt,
            "candidatesTokenCount": output,
            "thoughtsTokenCount": 0,
            "totalTokenCount": prompt + output,
            "cachedContentTokenCount": 0,
        }
        self._write(
            "assistant",
            "assistant_output",
            model=turn.model,
            message={"role": "model", "parts": parts},
            usageMetadata=usage,
            contextWindowSize=CONTEXT_WINDOW,
        )

    def outcomes(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            response = {
                "id": outcome.call.id,
                "name": outcome.call.name,
                "response": {"output" if outcome.ok else "error": outcome.output},
            }
            status = "success" if outcome.ok else "error"
            self._write(
                "tool_result",
                "tool_result",
                message={"role": "user", "parts": [{"functionResponse": response}]},
                toolCallResult={"callId": outcome.call.id, "status": status},
            )

    def idle(self, turn: Turn) -> None:
        """Nothing is written: an answer without calls ends the turn."""

    def compacted(self, before: int) -> None:
        payload = {"info": {"originalTokenCount": before}}
        self._write("system", "system", subtype="chat_compression", systemPayload=payload)

    def interrupted(self, partial: Turn | None) -> None:
        """Nothing is written."""

    def close(self) -> None:
        self.lines.close()

    def _write(self, kind: str, provenance: str, **more: Any) -> None:  # noqa: ANN401
        unique = str(uuid4())
        head = {
            "uuid": unique,
            "parentUuid": self.last,
            "sessionId": self.plan.session,
            "timestamp": timestamp(now()),
            "type": kind,
            "provenance": provenance,
            "cwd": self.place.workspace,
            "version": "0.24.4",
            "gitBranch": self.plan.branch,
        }
        self.lines.write({**head, **more})
        self.last = unique
