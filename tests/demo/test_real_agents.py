"""Real Claude Code and Codex run through the default script; their own books equal what was served.

Needs `claude` and `codex` on the PATH: `npm install @anthropic-ai/claude-code @openai/codex`, then
`PATH=node_modules/.bin:$PATH pytest -m real_agents`.
"""

import asyncio
import json
import os
import shutil

import pytest

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.demo.provider import Provider

pytestmark = [
    pytest.mark.real_agents,
    pytest.mark.skipif(
        not (shutil.which("claude") and shutil.which("codex")), reason="no claude or codex on PATH"
    ),
]


def claude(url):
    options = ["--output-format", "stream-json", "--verbose", "--model", "claude-opus-5"]
    return (
        ["claude", "-p", "look at the project", "--allowedTools", "Bash", *options],
        {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none"},
    )


def codex(url, model):
    gateway = f'{{name="demo",base_url="{url}/v1",env_key="DEMO_KEY",wire_api="responses"}}'
    settings = [f"model_providers.demo={gateway}", 'model_provider="demo"', f'model="{model}"']
    options = [word for setting in settings for word in ("-c", setting)]
    free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"]
    return ["codex", "exec", *free, *options, "look at the project"], {"DEMO_KEY": "none"}


async def run(command, environment, home):
    project = home / "project"
    project.mkdir()
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=project,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output
    assert "nothing is broken" in (project / "NOTES.md").read_text()
    return [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]


def billed(provider):
    return sum((served.tokens for served in provider.served()), NO_TOKENS)


async def test_claude_code(tmp_path):
    async with Provider() as provider:
        lines = await run(*claude(provider.url), tmp_path)
        usage = lines[-1]["modelUsage"]["claude-opus-5"]
        assert billed(provider) == Tokens(
            input=usage["inputTokens"],
            cache_write_5m=usage["cacheCreationInputTokens"],
            cache_read=usage["cacheReadInputTokens"],
            output=usage["outputTokens"],
        )
        assert usage["cacheReadInputTokens"] > usage["cacheCreationInputTokens"]


@pytest.mark.parametrize("model", ["gpt-6.1-sol", "gpt-5.3-codex"])
async def test_codex(tmp_path, model):
    async with Provider() as provider:
        lines = await run(*codex(provider.url, model), tmp_path)
        usage = lines[-1]["usage"]
        read, written = usage["cached_input_tokens"], usage["cache_write_input_tokens"]
        assert billed(provider) == Tokens(
            input=usage["input_tokens"] - read - written,
            cache_write_5m=written,
            cache_read=read,
            output=usage["output_tokens"],
        )
        assert read > written
