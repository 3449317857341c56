"""aider and what runs on LiteLLM: base URLs by environment, in the two ways that aider reads them.

aider loads `.env` files over its environment; what its own variables (`AIDER_...`) say is put above
that again.
"""

from collections.abc import Mapping, Sequence

from cockpit.agents.launch import generic
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch
from cockpit.agents.launch.words import grammar, parse, split, value, without, written

RULES = grammar(
    "--model --openai-api-key --anthropic-api-key --openai-api-base --openai-api-type --api-key"
    " --set-env --model-settings-file --model-metadata-file --alias --reasoning-effort"
    " --thinking-tokens --timeout --edit-format --editor-edit-format --weak-model --editor-model"
    " --max-chat-history-tokens --map-tokens --map-refresh --input-history-file --chat-history-file"
    " --llm-history-file --commit-prompt --aiderignore --encoding --line-endings -c --config --lint-cmd"
    " --test-cmd --file --read --message -m --message-file -f --load --env-file --chat-language"
    " --commit-language --voice-format --voice-language --editor --apply --analytics-log",
)
POINTING = ("--openai-api-base", "--openai-api-key", "--anthropic-api-key", "--api-key")


class Aider:
    """The recipe."""

    agent = "aider"
    patience_s = 300

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if given := value(parts, "--openai-api-base"):
            outer["OPENAI_API_BASE"] = given
        ours = {**generic.surroundings(door.url, outer), **_own(door.url)}
        return Launch(
            command.again(written(without(parts, *POINTING)), ours),
            ours,
            ("chat", "anthropic", "gemini", "ollama"),
            upstreams=generic.upstreams(outer),
            keys=generic.keys(outer),
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        kept = without(parts, "--message", "-m", "--message-file", "-f", "--restore-chat-history")
        said = ("--message", prompt) if prompt else ()
        return command.again((*written(kept), "--restore-chat-history", *said))


def _own(url: str) -> dict[str, str | None]:
    """The agent's own variables, and the places of its providers that LiteLLM has variables for."""
    return {
        "AIDER_OPENAI_API_BASE": f"{url}/v1",
        "AIDER_OPENAI_API_KEY": DUMMY_KEY,
        "AIDER_ANTHROPIC_API_KEY": DUMMY_KEY,
        "AIDER_API_KEY": None,
        "AIDER_SET_ENV": f"[ANTHROPIC_API_BASE={url},ANTHROPIC_BASE_URL={url},GEMINI_API_BASE={url}]",
        **dict.fromkeys(
            ("OPENROUTER_API_BASE", "DEEPSEEK_API_BASE", "XAI_API_BASE", "GROQ_API_BASE"),
            f"{url}/v1",
        ),
    }
