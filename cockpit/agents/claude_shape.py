"""How the lines of a Claude Code session are written, learned from lines that were decoded.

Every line of a session begins with the id of its parent, then come keys that stay the same for
many lines. Nothing here is needed to read a line; it only says which lines can be read quickly.
"""

import re

from cockpit.agents.adapter import Source
from cockpit.agents.claude_line import ASSISTANT, Line, Message

NEVER = b"\n\n"
"""Is in no line."""
_PARENT = b'{"parentUuid":"'
HEAD_LENGTH = len(_PARENT) + 36 + 1
_USER = re.compile(rb'(?:,"\w+":(?:"[^"\\]*"|true|false|null))*?,"type":"user"').match
_CONTENT = b'"content":['
_FILES_LIMIT = 64


class Shape:
    """What is the same in lines of one kind, behind the parent's id.

    `users` leads up to the type of a user's line, `answers` up to the id of an answer's message,
    `named` from there into its content. `run` and `model` are those of the answers, `agent` is the
    sub-agent's id if it stands behind the content.
    """

    __slots__ = ("agent", "answers", "model", "named", "run", "users")

    def __init__(self, run: str) -> None:
        self.run = run
        self.model = ""
        self.agent: str | None = None
        self.users = self.answers = self.named = NEVER

    def learn_answer(self, raw: bytes, line: Line, message: Message, run: str, model: str) -> None:
        """Takes in how an answer is written, if everything that matters stands before its content."""
        content = raw.find(_CONTENT, HEAD_LENGTH)
        prefix = raw[HEAD_LENGTH : content + len(_CONTENT)]
        id_ = b'"id":"%b"' % message.id.encode("utf-8", "replace")
        before, found, behind = prefix.partition(id_)
        told = [b'"model":"%b"' % message.model.encode("utf-8", "replace"), b'"role":"assistant"']
        if line.is_sidechain:
            told.append(b'"isSidechain":true')
        if (
            content > 0
            and found
            and raw.startswith(_PARENT)
            and line.type == ASSISTANT
            and all(one in prefix for one in told)
        ):
            self.answers, self.named = before + b'"id":"', b'"' + behind
            self.run, self.model = run, model
            self.agent = None if b'"agentId":"' in prefix else line.agent_id

    def learn_user(self, block: bytes, start: int, stop: int) -> None:
        """Takes in how the line is written, if it is a user's."""
        if block.startswith(_PARENT, start):
            found = _USER(block, start + HEAD_LENGTH, stop)
            if found:
                self.users = found[0]


_shapes: dict[str, Shape] = {}


def shape_of(source: Source) -> Shape:
    """The shape that was learned of the file so far: each of its blocks is read on its own."""
    shape = _shapes.get(source.path)
    if shape is None:
        if len(_shapes) >= _FILES_LIMIT:
            _shapes.clear()
        shape = _shapes[source.path] = Shape(source.run)
    return shape
