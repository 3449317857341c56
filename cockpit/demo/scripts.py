"""What the simulated models answer: plain functions of the conversation.

A script is chosen by the request header `x-demo-script`, else by a marker such as `[[sleep]]` in
what the user said, else it is `loop`.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from cockpit.demo.conversation import (
    KEPT_IN,
    Answer,
    Call,
    Conversation,
    canonical,
    count_tokens,
    instance,
)
from cockpit.demo.offered import AGENT_TOOLS, WEB_SEARCH, delegate_to, find, shell, wait_on, write

Script = Callable[[Conversation], Answer]

HEADER = "x-demo-script"

_MARKER = re.compile(r"\[\[([a-z-]+)\]\]")
_SUMMARY = re.compile(r"<(summary|state_snapshot)>")
_CONTINUED = re.compile(r"continues after step (\d+)")


def choose(conversation: Conversation, header: str | None = None) -> Script:
    """The script for a request; an unknown name falls through to the next rule."""
    if conversation.schema is not None:
        return structured
    if _summary_tag(conversation):
        return summarize
    if header in SCRIPTS:
        return heeding(SCRIPTS[header])
    for text in reversed(conversation.user_texts()):
        for name in _MARKER.findall(text):
            if name in SCRIPTS:
                return SCRIPTS[name]
    return loop


def heeding(script: Script) -> Script:
    """The script of an agent that keeps to what the operator tells it on the way."""

    def answer(conversation: Conversation) -> Answer:
        note = conversation.note()
        if not note:
            return script(conversation)
        kept = write(conversation, KEPT_IN, f"# From the operator\n\n{note}\n")
        said = f"A word from the operator: “{note}”. I write it down and keep to it from here on."
        return Answer(said, kept, 10, 250, 60.0)

    return answer


def continued_after(step: int) -> str:
    """What an agent tells the model when it compacts, so that the work goes on where it was."""
    return f"The session continues after step {step}; earlier turns were compacted."


def _step(conversation: Conversation) -> int:
    last = conversation.user_texts()[-1:]
    match = _CONTINUED.search(last[0]) if last else None
    return conversation.step() + (int(match[1]) if match else 0)


def loop(conversation: Conversation) -> Answer:
    """A short tool loop for any agent: look, write a note, check, report."""
    if not conversation.tools:
        return text(conversation)
    match conversation.step():
        case 0:
            return Answer(
                "I look at the project first.", shell(conversation, "ls -la", "List files")
            )
        case 1:
            note = "# Notes\n\nLooked at the project; nothing is broken.\n"
            command = f"cat > NOTES.md <<'EOF'\n{note}EOF"
            return Answer("I keep a note.", shell(conversation, command, "Write a note"))
        case 2:
            command = "git status --short && wc -l NOTES.md"
            return Answer("Check what changed.", shell(conversation, command, "Show changes"))
    return Answer("Done: NOTES.md says what I found, nothing else was touched.")


def text(conversation: Conversation) -> Answer:  # noqa: ARG001 - a script gets the conversation
    """One short answer without tools."""
    return Answer("Look at the project and keep a note")


def structured(conversation: Conversation) -> Answer:
    """The JSON that an agent asks for beside its work: a title, a route, who speaks next."""
    return Answer(canonical(instance(conversation.schema or {})))


def _summary_tag(conversation: Conversation) -> str:
    """The tag around the summary that an agent asks for when it compacts; empty when it does not."""
    last = conversation.user_texts()[-1:]
    match = _SUMMARY.search(last[0]) if last else None
    return match[1] if match else ""


def summarize(conversation: Conversation) -> Answer:
    """The summary with which the work goes on after a compaction."""
    tag = _summary_tag(conversation)
    return Answer(f"<{tag}>\nThe project was looked at; NOTES.md says what was found.\n</{tag}>")


def slow(conversation: Conversation) -> Answer:  # noqa: ARG001 - a script gets the conversation
    """A long answer, slowly: something to cancel."""
    return Answer("This takes a while. " * 400, tokens_per_s=20.0)


def think(conversation: Conversation) -> Answer:  # noqa: ARG001 - a script gets the conversation
    """An answer that was thought about, visibly where the wire shows it."""
    thinking = "The note can stay as it is, because nothing that it says has changed. " * 6
    reasoning = count_tokens(thinking) + 40
    return Answer(
        "Nothing to do.", (), reasoning, first_byte_ms=20, tokens_per_s=2_000.0, thinking=thinking
    )


def search(conversation: Conversation) -> Answer:
    """An answer for which the provider searches the web twice, where the agent lets it."""
    offered = find(conversation, WEB_SEARCH) is not None
    return Answer("Nothing new since last week.", searches=2 if offered else 0)


def delegate(conversation: Conversation) -> Answer:
    """One sub-agent, waited for where it must be, then a report."""
    tool, wait = find(conversation, *AGENT_TOOLS), find(conversation, "wait_agent")
    match conversation.step():
        case 0 if tool is not None:
            return Answer("I let a sub-agent look.", (delegate_to(tool, "[[loop]] Look around"),))
        case 1 if wait is not None:
            waiting = Call(wait.name, {"timeout_ms": 60_000}, namespace=wait.namespace)
            return Answer("I wait for it.", (waiting,))
    return Answer("The sub-agent is done, and so am I.")


def sleep(conversation: Conversation) -> Answer:
    """A tool call that runs for ten minutes: something to interrupt."""
    if conversation.step() == 0:
        command = "sh -c 'echo 600 | xargs sleep; echo built'"  # Qwen refuses a plain sleep
        calls = shell(conversation, command, "Wait for the build", wait_ms=600_000)
        return Answer("The build takes ten minutes; I wait for it.", calls)
    waiting = wait_on(conversation)
    return Answer("Still building." if waiting else "The build is done.", waiting)


def push(conversation: Conversation) -> Answer:
    """A tool call that cannot be taken back: something to be asked about."""
    if conversation.step() == 0:
        return Answer("I publish it.", shell(conversation, "git push origin HEAD", "Publish"))
    return Answer(f"The push said: {conversation.last_result().strip()[:200]}")


RULES = ("digits", "spaces", "quotes", "lists", "dashes", "words", "signs", "dates")


def _rule(number: int) -> tuple[str, str]:
    name = f"{RULES[number % len(RULES)]}_{number}"
    return name, f'"""Rule {number}."""\n\n\ndef {name}(text):\n    return text[:{number + 1}]\n'


def _rule_test(name: str, number: int) -> str:
    return (
        f"import unittest\n\nfrom rules.{name} import {name}\n\n\n"
        f"class Rule{number}(unittest.TestCase):\n    def test_it(self):\n"
        f"        self.assertEqual({name}('a' * 9999), 'a' * {number + 1})\n"
    )


def port(conversation: Conversation) -> Answer:
    """Healthy work without end: a rule, its test, the tests, a commit, the next rule."""
    number, phase = divmod(_step(conversation) + 4, 4)
    name, code = _rule(number)
    match phase:
        case 0:
            plan = (
                f"Rule {number}, `{name}`: the old parser takes {number + 1} characters and stops at"
                " the end of the line. I keep that behaviour and drop the special case."
            )
            return Answer(plan, write(conversation, f"rules/{name}.py", code), 40, 250, 55.0)
        case 1:
            calls = write(conversation, f"tests/test_{name}.py", _rule_test(name, number))
            return Answer("Its test.", calls, 12, 250, 55.0)
        case 2:
            command = f"python3 -m unittest -q tests.test_{name}"
            return Answer("Run it.", shell(conversation, command, "Run it"), 8, 250, 55.0)
    command = f"git add -A && git commit -q -m 'Port rule {name}' && git log --oneline | head -1"
    return Answer(
        f"`{name}` behaves as before.", shell(conversation, command, "Commit"), 8, 250, 55.0
    )


def watch(conversation: Conversation) -> Answer:
    """A timer's turn: look at the build once, report, end the turn."""
    if conversation.step() == 0:
        return Answer("I look at the build.", shell(conversation, "python3 ci.py", "Build status"))
    return Answer(
        f"{conversation.last_result().strip()[:80]} I look again at the next tick.",
        first_byte_ms=300,
        tokens_per_s=60.0,
    )


REPORT_TOKENS = 300


def report(conversation: Conversation) -> Answer:  # noqa: ARG001 - a script gets the conversation
    """A timer's turn without tools, at once: a report of 300 tokens."""
    said = "Nothing has changed since the last look, as far as the build says. " * 20
    return Answer(said[: 4 * REPORT_TOKENS], first_byte_ms=0, tokens_per_s=1e9)


def stuck(conversation: Conversation) -> Answer:
    """The same failing command again and again, each time with fresh confidence."""
    moods = (
        "The total is off by a cent. A rerun will tell whether it is a flake.",
        "It should pass now.",
        "Odd: the rounding looks right to me. Once more.",
    )
    command = "python3 -m unittest -q test_billing"
    said = moods[_step(conversation) % len(moods)]
    return Answer(said, shell(conversation, command, "Run the billing tests"), 60, 300, 45.0)


def document(conversation: Conversation) -> Answer:
    """Long answers that cost: one chapter after the other."""
    number = _step(conversation) + 1
    line = (
        f"Chapter {number} explains one command, its options and what it prints, with an example. "
    )
    chapter = f"# Chapter {number}\n\n" + line * 6 + "\n"
    plan = (
        f"Chapter {number} repeats the old text in three places; I merge them and keep one example."
    )
    return Answer(plan, write(conversation, f"docs/chapter_{number}.md", chapter), 30, 400, 40.0)


RELEASE_STEPS = 6


def release(conversation: Conversation) -> Answer:
    """Entry after entry of a change log; each sixth step is a push, which is not its to decide."""
    number, phase = divmod(_step(conversation), RELEASE_STEPS)
    version = f"1.{number + 4}.0"
    match phase:
        case 0:
            said, command = _after_push(conversation), "git log --oneline | head -5"
            return Answer(said, shell(conversation, command, "Look"), 30, 250, 60.0)
        case 4:
            command = f"git add -A && git commit -q --allow-empty -m 'Release {version}'"
            return Answer("Commit it.", shell(conversation, command, "Commit"), 8, 250, 60.0)
        case 5:
            said = f"Release {version} is ready: everybody gets it with this push."
            return Answer(said, shell(conversation, "git push origin HEAD", "Push"), 8, 250, 60.0)
    entries = "".join(f"- change {each} of {version}\n" for each in range(1, phase + 1))
    calls = write(conversation, f"changes/{version}.md", f"# {version}\n\n{entries}")
    return Answer(f"Entry {phase} for {version}.", calls, 20, 250, 50.0)


def _after_push(conversation: Conversation) -> str:
    last = conversation.last_result()
    if not last:
        return "I read what has changed since the last release."
    denied = "denied" in last
    return "It stays with us, then. The next one." if denied else "It is out. The next one."


def ask(conversation: Conversation) -> Answer:
    """A little work, then a question only the operator can answer."""
    steps = (
        ("I look at the schema.", "cat schema.sql"),
        ("Which code still reads the old table?", "grep -rn legacy_orders . --include=*.py"),
    )
    step = conversation.step()
    if step < len(steps):
        said, command = steps[step]
        return Answer(said, shell(conversation, command, "Look"), 20, 250, 60.0)
    return Answer(
        "Nothing reads `legacy_orders` any more except the monthly report. Shall I drop the table,"
        " or keep it as a view until the report has moved?",
        reasoning=80,
        first_byte_ms=300,
        tokens_per_s=60.0,
    )


REVIEW_STEPS = 40
AREAS = ("rules", "tests", "docs", "scripts")


def lead(conversation: Conversation) -> Answer:
    """Hands one area after the other to a sub-agent."""
    number = _step(conversation)
    area = AREAS[number % len(AREAS)]
    tool = find(conversation, *AGENT_TOOLS)
    if tool is None:
        return Answer("There is no sub-agent tool here.")
    arguments = {
        "description": f"Review {area}",
        "prompt": f"Review {area}/ in round {number // len(AREAS) + 1}: name what is unclear.",
        "subagent_type": "general-purpose",
    }
    return Answer(f"Next area: {area}.", (Call(tool.name, arguments),), 30, 250, 60.0)


def review(conversation: Conversation) -> Answer:
    """The sub-agent: reads for a while, then reports."""
    step = conversation.step()
    if step < REVIEW_STEPS:
        start = 1 + 40 * step
        command = f"sed -n '{start},{start + 39}p' HANDBOOK.md"
        said = f"Lines {start} to {start + 39}."
        return Answer(said, shell(conversation, command, "Read on"), 25, 250, 40.0)
    return Answer("Two names say the opposite of what they do; the rest reads well.", (), 40)


def local(conversation: Conversation) -> Answer:
    """A small local model that keeps a list of open ends up to date."""
    step = _step(conversation)
    if step % 2 == 0:
        command = f"grep -n -i 'line {step * 7 % 900}' HANDBOOK.md | head -3"
        return Answer("I look for open ends.", shell(conversation, command, "Search"), 0, 300, 30.0)
    content = f"# Open ends\n\nLooked at {step // 2 + 1} places.\n"
    return Answer("I update the list.", write(conversation, "OPEN.md", content), 0, 300, 30.0)


def morning(conversation: Conversation) -> Answer:
    """The report of the day's figures, every morning out of the same file."""
    step = conversation.step()
    if step == 0:
        look = shell(conversation, f"cat {FIGURES}", "Read the figures")
        return Answer("I read what the day brought.", look, 20, 250, 60.0)
    if step == 1:
        try:
            path, told = _daily(msgspec.json.decode(_unframed(conversation.last_result())))
        except (msgspec.MsgspecError, KeyError, TypeError):
            return Answer("I cannot make sense of these figures and leave them alone.")
        return Answer("The report.", write(conversation, path, told), 60, 250, 60.0)
    return Answer("The report is written; nothing else was touched.")


FIGURES = "data/figures.json"


def _unframed(result: str) -> str:
    """The JSON object in what a tool answered: some agents put a frame around it."""
    return result[result.find("{") : result.rfind("}") + 1]


def _daily(figures: dict[str, Any]) -> tuple[str, str]:
    """Path and text of the report."""
    day = figures["date"]
    pages = "".join(f"- {page['page']}: {page['views']}\n" for page in figures["pages"])
    told = f"# {day}\n\nVisitors: {figures['visitors']:,}\nOrders: {figures['orders']}\n\n{pages}"
    return f"reports/{day}.md", told


SCRIPTS: dict[str, Script] = {
    script.__name__: script
    for script in (
        loop,
        text,
        slow,
        think,
        search,
        delegate,
        sleep,
        push,
        port,
        watch,
        report,
        stuck,
        document,
        release,
        ask,
        lead,
        review,
        local,
        morning,
    )
}
