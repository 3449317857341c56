"""How much a model may think without showing it."""

UNSEEN_BY_EFFORT = {
    "none": 0,
    "minimal": 512,
    "low": 1_024,
    "medium": 4_096,
    "high": 8_192,
    "xhigh": 16_384,
    "max": 32_768,
    "auto": 4_096,
}
"""Tokens by the effort asked for; a rule of thumb, used only when an answer breaks off."""
