"""Real agents run through the simulated provider; their own books equal what was served.

Needs the agents on the PATH: `npm install @anthropic-ai/claude-code @openai/codex opencode-ai
@google/gemini-cli @qwen-code/qwen-code`, then `PATH=node_modules/.bin:$PATH pytest -m real_agents`.
"""

import asyncio
import json
import os
import shutil

import pytest

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.demo.mishaps import Mishap
from cockpit.demo.provider import Provider

pytestmark = pytest.mark.real_agents

GEMINI_SETTINGS = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
OPENCODE_MODEL = "gpt-6.1-sol"


def claude(url, place, prompt):
    options = ["--output-format", "stream-json", "--verbose", "--model", "claude-opus-5"]
    return (
        ["claude", "-p", prompt, "--allowedTools", "Bash", *options],
        {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none"},
    )


def codex(url, place, prompt, model="gpt-6.1-sol"):
    gateway = f'{{name="demo",base_url="{url}/v1",env_key="DEMO_KEY",wire_api="responses"}}'
    settings = [f"model_providers.demo={gateway}", 'model_provider="demo"', f'model="{model}"']
    options = [word for setting in settings for word in ("-c", setting)]
    free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"]
    return ["codex", "exec", *free, *options, prompt], {"DEMO_KEY": "none"}


def codex_older(url, place, prompt):
    return codex(url, place, prompt, "gpt-5.3-codex")


def gemini(url, place, prompt):
    settings = place / "home" / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps(GEMINI_SETTINGS))
    return (
        ["gemini", "-p", prompt, "--yolo", "-m", "gemini-2.5-pro", "-o", "stream-json"],
        {
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_API_KEY": "none",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
    )


def qwen(url, place, prompt):
    return (
        ["qwen", "-p", prompt, "--yolo", "-o", "stream-json"],
        {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": "gpt-6.1-sol"},
    )


def opencode(url, place, prompt):
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "none"},
        "models": {OPENCODE_MODEL: {"name": "demo"}},
    }
    settings = {"provider": {"demo": provider}, "permission": {"*": "allow"}}
    return (
        ["opencode", "run", prompt, "-m", f"demo/{OPENCODE_MODEL}"],
        {"OPENCODE_CONFIG_CONTENT": json.dumps(settings)},
    )


AGENTS = {
    "claude": claude,
    "codex": codex,
    "codex-older": codex_older,
    "gemini": gemini,
    "qwen": qwen,
    "opencode": opencode,
}
agents = pytest.mark.parametrize("agent", list(AGENTS))


async def run(agent, url, place, prompt="look at the project"):
    """Run to the end in a home of its own; the JSON lines it printed."""
    home, project = place / "home", place / "project"
    home.mkdir()
    project.mkdir()
    command, environment = AGENTS[agent](url, place, prompt)
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on PATH")
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=project,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, output
    assert "nothing is broken" in (project / "NOTES.md").read_text()
    return [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]


def billed(provider):
    return sum((served.tokens for served in provider.served()), NO_TOKENS)


def own_books(agent, lines):
    """What the agent itself says that it used; it need not split what the provider splits."""
    last = lines[-1]
    match agent:
        case "claude":
            usage = last["modelUsage"]["claude-opus-5"]
            prompt = usage["inputTokens"] + usage["cacheCreationInputTokens"]
            read = usage["cacheReadInputTokens"]
            return prompt + read, read, usage["outputTokens"]
        case "codex" | "codex-older" | "qwen":
            usage = last["usage"]
            read = usage.get("cached_input_tokens", usage.get("cache_read_input_tokens"))
            return usage["input_tokens"], read, usage["output_tokens"]
    usage = last["stats"]
    return usage["input_tokens"], usage["cached"], usage["output_tokens"]


def books(tokens: Tokens):
    return tokens.prompt, tokens.cache_read, tokens.output


@agents
async def test_a_tool_loop(tmp_path, agent):
    async with Provider() as provider:
        lines = await run(agent, f"{provider.url}/run/r", tmp_path)
        assert {served.run for served in provider.served() if served.model} == {"r"}
        assert billed(provider).cache_read > billed(provider).prompt // 2
        if agent != "opencode":
            assert books(billed(provider)) == own_books(agent, lines)


@agents
async def test_a_sub_agent(tmp_path, agent):
    if agent == "codex-older":
        pytest.skip("has no sub-agents")
    async with Provider() as provider:
        await run(agent, f"{provider.url}/run/r", tmp_path, "[[delegate]] look")
        heard = [served.heard for served in provider.served()]
        assert sum("[[loop]] Look around" in text for text in heard) <= 1
        assert len([served for served in provider.served() if served.model]) >= 6


@agents
async def test_a_short_storm_is_survived(tmp_path, agent):
    """Refused calls are tried again, and cost nothing."""
    async with Provider() as provider:
        provider.plan(Mishap(kind="status", status=529, times=2, with_tools=True), run="r")
        await run(agent, f"{provider.url}/run/r", tmp_path)
        refused = [served for served in provider.served() if served.status == 529]
        assert [served.tokens for served in refused] == [NO_TOKENS] * 2
