"""mini-swe-agent: LiteLLM's variables, which its own `.env` does not win over."""

from collections.abc import Mapping, Sequence

from cockpit.agents.launch import generic
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import Door, Launch
from cockpit.agents.launch.words import grammar, parse, split

RULES = grammar(
    "-m --model -t --task -l --cost-limit -c --config -o --output --model-class --agent-class"
    " --environment-class"
)


class MiniSwe:
    """The recipe."""

    agent = "mini-swe-agent"
    patience_s = 300

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        outer = command.environment(environment)
        for part in parse(command.words, RULES):
            said = part.values[0] if part.option in ("-c", "--config") and part.values else ""
            if "api_base" in said or "base_url" in said:
                raise ValueError(
                    f"-c {said.partition('=')[0]} points past the gateway: leave it out"
                )
        ours = generic.surroundings(door.url, outer)
        return Launch(
            command.again(command.words, ours),
            ours,
            ("chat", "anthropic", "gemini", "ollama"),
            upstreams=generic.upstreams(outer),
            keys=generic.keys(outer),
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        return None
