"""Command lines: which agent they start, behind whatever wrapper, and what its own words are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.agents.launch.names import AGENTS, agent_of
from cockpit.agents.launch.registry import MODULES, recipe, recipe_for
from cockpit.agents.launch.words import grammar, parse, plain, split, value, without, written

STARTS = {
    "claude -p hi": "claude-code",
    "/opt/bin/claude": "claude-code",
    "npx @anthropic-ai/claude-code -p hi": "claude-code",
    "npx -y @anthropic-ai/claude-code@2.1.330": "claude-code",
    "env X=1 Y=2 claude": "claude-code",
    "nice -n 5 env A=b codex exec hi": "codex",
    "npm exec -- @openai/codex exec hi": "codex",
    "timeout -k 5 60 codex exec hi": "codex",
    "bunx opencode-ai run hi": "opencode",
    "node /x/node_modules/@google/gemini-cli/dist/index.js -p hi": "gemini",
    "node --max-old-space-size=4096 /usr/bin/gemini": "gemini",
    "pnpm dlx @qwen-code/qwen-code hi": "qwen",
    "npx -p @github/copilot copilot": "copilot",
    "uvx aider --model x": "aider",
    "uvx --from aider-chat@latest aider": "aider",
    "python -m aider": "aider",
    "python3.12 -X dev -m minisweagent": "mini-swe-agent",
    "uv tool run --from mini-swe-agent mini -t x": "mini-swe-agent",
    "pipx run --spec mistral-vibe vibe": "vibe",
    "/x/.venv/bin/python /x/.venv/bin/kimi": "kimi",
    "uvx kimi-cli==1.47.0": "kimi",
    "python -c print": "generic",
    "python agent.py": "generic",
    "npm run claude": "generic",
    "cat claude": "generic",
    "env": "generic",
    "npx": "generic",
}


@pytest.mark.parametrize("line", STARTS)
def test_the_agent_behind_a_wrapper_is_recognised(line):
    argv = line.split()
    assert agent_of(argv) == STARTS[line]
    assert recipe_for(argv).agent == STARTS[line]
    assert recipe_for(argv).recognises(argv)


def test_every_agent_has_a_recipe_under_its_name():
    assert set(AGENTS) | {"generic"} == set(MODULES)
    for name in MODULES:
        assert recipe(name).agent == name
        assert recipe(name).patience_s >= 30


@given(
    st.lists(
        st.sampled_from(
            ["env", "npx", "-p", "--", "A=1", "python", "-m", "claude", "-i", "timeout"]
        )
    )
)
def test_any_command_line_is_split_without_loss(argv):
    command = split(argv)
    assert [*command.before, *command.words] == argv


def test_what_env_sets_is_seen_and_can_be_replaced():
    command = split(["env", "A=1", "B=2", "claude", "-p"])
    assert command.environment({"A": "0", "C": "3"}) == {"A": "1", "B": "2", "C": "3"}
    assert command.again(["-p"], {"A"}) == ("env", "B=2", "claude", "-p")


@pytest.mark.parametrize("flag", [["-i"], ["-u", "ANTHROPIC_BASE_URL"], ["-"], ["--unset=X"]])
def test_an_emptied_environment_is_refused(flag):
    with pytest.raises(ValueError, match="keep the agent from the gateway"):
        split(["env", *flag, "claude"]).environment({})


RULES = grammar("-m --model", "--tools", "-r --resume")


def test_options_with_one_several_or_perhaps_a_value():
    words = [
        "-m",
        "opus",
        "--tools",
        "a",
        "b",
        "--x",
        "say it",
        "-r",
        "--model=x",
        "-mz",
        "--",
        "-q",
    ]
    parts = parse(words, RULES)
    assert written(parts) == tuple(words)
    assert value(parts, "-m", "--model") == "z"
    assert value(parts, "-r") == ""
    assert plain(parts) == ["say it", "-q"]
    assert written(without(parts, "-m", "--tools", "--")) == (
        "--x",
        "say it",
        "-r",
        "--model=x",
        "-q",
    )


@given(st.lists(st.text(alphabet="-mrx= a", max_size=6)))
def test_nothing_is_lost_in_parsing(words):
    assert list(written(parse(words, RULES))) == words
