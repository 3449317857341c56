"""What the simulated provider remembers between requests: its caches and its loaded models."""

from cockpit.demo.cache import ANTHROPIC, GEMINI, MINUTE, OPENAI, PrefixCache, Resident

KEEP_ALIVE_MS = 5 * MINUTE


class Account:
    """The caches of one account. Lifetimes are the documented ones divided by `time_scale`.

    A scaled lifetime is the real lifetime here, and every answer announces it; a `keep_alive` that
    a client of the Ollama dialect names itself is kept as it is.
    """

    def __init__(self, time_scale: float = 1.0) -> None:
        self.time_scale = time_scale
        self.anthropic = PrefixCache(ANTHROPIC.divided_by(time_scale))
        self.openai = PrefixCache(OPENAI.divided_by(time_scale))
        self.gemini = PrefixCache(GEMINI.divided_by(time_scale))
        self.keep_alive_ms = round(KEEP_ALIVE_MS / time_scale)
        self._residents: dict[str, Resident] = {}

    def sweep(self, now: int) -> None:
        """Forget expired prefixes."""
        self.anthropic.sweep(now)
        self.openai.sweep(now)
        self.gemini.sweep(now)

    def resident(self, model: str) -> Resident:
        return self._residents.setdefault(model, Resident())

    def loaded(self, now: int) -> dict[str, int | None]:
        """Models in memory and when each leaves; None is never, or while a request runs."""
        return {
            model: resident.expires
            for model, resident in self._residents.items()
            if resident.expires is None or now < resident.expires
        }

    def lifetimes_s(self) -> dict[str, float]:
        """The lifetimes in force, in seconds, by the names the vendors use."""
        return {
            "5m": self.anthropic.lifetimes.short / 1000,
            "1h": self.anthropic.lifetimes.long / 1000,
            "30m": self.openai.lifetimes.short / 1000,
            "12h": self.openai.lifetimes.long / 1000,
            "keep_alive": self.keep_alive_ms / 1000,
        }
