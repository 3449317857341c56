"""The user's price file of the demo: what its provider announces about itself."""

from collections.abc import Mapping

LOCAL_MODEL = "qwen3-coder:30b"


def price_file(lifetimes_s: Mapping[str, float]) -> str:
    """A price overlay with the cache lifetimes in force, in whole seconds; prices stay real."""
    seconds = {name: max(1, round(value)) for name, value in lifetimes_s.items()}
    return f"""\
# The demo's provider forgets faster than the real ones, and says so with every answer.
[[cache]]
provider = "anthropic"
ttl_s = {seconds["5m"]}
long_ttl_s = {seconds["1h"]}
policy = "refresh"
clock = "request"

[[cache]]
provider = "openai"
names = ["gpt-6*"]
ttl_s = {seconds["30m"]}
long_ttl_s = {seconds["12h"]}
policy = "minimum"
clock = "request"

[[cache]]
provider = "ollama"
ttl_s = {seconds["keep_alive"]}
policy = "refresh"
clock = "response"

[[provider]]
id = "ollama"
models = ["{LOCAL_MODEL}"]
local = true
"""
