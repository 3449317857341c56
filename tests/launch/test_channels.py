"""Which headless commands are driven by the agent's own protocol, and what becomes of their flags."""

import shlex

import pytest

from cockpit.agents.launch.recipe import Door
from cockpit.agents.launch.registry import recipe_for

OPENCODE = {"OPENAI_API_KEY": "sk"}
GEMINI = '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'


@pytest.fixture
def plan(tmp_path):
    settings = tmp_path / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(GEMINI)

    def plan(line):
        door = Door("http://127.0.0.1:4711/run/the-token", tmp_path / "scratch")
        outer = {"HOME": str(tmp_path), "PWD": str(tmp_path), "OPENAI_API_KEY": "sk"}
        argv = shlex.split(line)
        return recipe_for(argv).launch(argv, door, outer).channel

    return plan


@pytest.mark.parametrize(
    ("line", "kind", "prompt"),
    [
        ("claude -p hi", "stream-json", "hi"),
        ("claude --print hi --model m --allowedTools Bash Edit", "stream-json", "hi"),
        ("claude -p --resume 7 -- hi", "stream-json", "hi"),
        ("claude -p", "stream-json", ""),
        ("codex exec hi", "app-server", "hi"),
        ("codex e -m m -s read-only -C /srv hi", "app-server", "hi"),
        ("codex exec -", "app-server", ""),
        ("codex exec resume 7 hi", "app-server", "hi"),
        ("opencode run hi there", "serve", "hi there"),
        ("opencode run 'say \"hi\"' -s 7", "serve", '"say \\"hi\\""'),
        ("gemini --yolo -p hi", "acp", "hi"),
        ("gemini --approval-mode yolo -m m --prompt hi", "acp", "hi"),
    ],
)
def test_a_headless_command_is_driven(plan, line, kind, prompt):
    found = plan(line)
    assert (found.kind, found.prompt) == (kind, prompt)


@pytest.mark.parametrize(
    "line",
    [
        "claude hi",
        "claude",
        "claude -p hi --output-format json",
        "claude -p --input-format stream-json --output-format stream-json",
        "claude -p hi --json-schema {}",
        "claude -p hi --a-new-flag",
        "claude --a-new-flag value -p",
        "claude -p hi there",
        "claude mcp list",
        "codex",
        "codex exec --json hi",
        "codex exec -p profile hi",
        "codex exec --add-dir /srv hi",
        "codex exec resume --last hi",
        "codex exec review",
        "codex login",
        "opencode",
        "opencode run --format json hi",
        "opencode run -f file hi",
        "opencode run --continue hi",
        "opencode serve",
        "gemini -p hi",
        "gemini --yolo",
        "gemini --yolo -p hi --output-format json",
        "gemini --yolo -p hi --resume latest",
        "qwen --yolo -p hi",
        "python agent.py",
    ],
)
def test_others_stay_as_they_are(plan, line):
    assert plan(line) is None


def test_what_was_given_is_passed_on_and_the_plain_command_is_kept(plan):
    found = plan("claude -p hi --model m --add-dir a b --permission-mode plan")
    assert {"--model", "m", "--add-dir", "a", "b", "--permission-mode", "plan"} <= set(found.argv)
    assert "hi" not in found.argv
    assert found.plain[-8:] == (
        "hi",
        "--model",
        "m",
        "--add-dir",
        "a",
        "b",
        "--permission-mode",
        "plan",
    )
    assert found.argv.count("--settings") == found.argv.count("--session-id") == 1


def test_codex_flags_become_settings(plan):
    found = plan(
        "codex -c a.b=1 exec --skip-git-repo-check -m m -C /srv -o last resume 7 hi -i x.png"
    )
    assert dict(found.settings) == {
        "anywhere": True, "model": "m", "cwd": "/srv", "last_message_file": "last",
        "images": ["x.png"], "resume": "7",
    }  # fmt: skip
    assert "a.b=1" in found.argv
    assert found.argv[1] == "app-server"
    assert "the-token" not in shlex.join(found.argv)
    free = plan("codex exec --dangerously-bypass-approvals-and-sandbox hi").settings
    assert free == {"sandbox": "danger-full-access", "anywhere": True}


def test_gemini_asks_so_that_rules_can_answer_and_what_none_forbids_is_free(plan):
    found = plan("gemini --yolo --session-id 7 -m m -p hi")
    assert found.argv == ("gemini", "--acp", "-m", "m")
    assert found.settings["free"] is True
    assert found.on_request
    assert not plan("claude -p hi").on_request
