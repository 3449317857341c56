"""One question to a model, behind the gateway: `python -m cockpit.engine.consult FILE`.

FILE is JSON `{"wire", "model", "request", "tokens"}`; the answer goes to FILE.answer. Standard library
only: it lives as long as one call.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

SECONDS = 600


def asked(
    wire: str, model: str, request: str, tokens: int
) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Where the question goes, with which headers, and its body.

    Raises:
        KeyError: where nothing leads to a model of this wire.
    """
    said = [{"role": "user", "content": request}]
    if wire == "anthropic":
        url = f"{os.environ['ANTHROPIC_BASE_URL']}/v1/messages"
        own = {
            "x-api-key": os.environ.get("ANTHROPIC_API_KEY", ""),
            "anthropic-version": "2023-06-01",
        }
        return url, own, {"model": model, "max_tokens": tokens, "messages": said}
    if wire == "ollama":
        url = f"{os.environ['OLLAMA_HOST']}/api/chat"
        return url, {}, {"model": model, "stream": False, "messages": said, "format": "json"}
    url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
    own = {"authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}
    return url, own, {"model": model, "max_completion_tokens": tokens, "messages": said}


def said_in(wire: str, told: dict[str, Any]) -> str:
    """The text of an answer."""
    if wire == "anthropic":
        return "".join(part.get("text", "") for part in told["content"])
    message = told["message"] if wire == "ollama" else told["choices"][0]["message"]
    return str(message["content"])


def main(place: str) -> None:
    path = Path(place)
    question = json.loads(path.read_text())
    wire = question["wire"]
    url, own, body = asked(wire, question["model"], question["request"], question["tokens"])
    headers = {"content-type": "application/json", **own}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        told = json.loads(answer.read())
    path.with_suffix(".answer").write_text(said_in(wire, told))


if __name__ == "__main__":
    main(sys.argv[1])
