"""Text from outside, made safe to keep and to draw.

Terminal escapes go first (OSC 52 could write the clipboard), then every control, bidirectional,
zero-width, tag and surrogate code point; new lines and tabs stay.
"""

LINE_LIMIT = 200
BODY_LIMIT = 64 * 1024

_DROPPED: dict[int, str | None] = dict.fromkeys(
    [
        *(code for code in range(0x20) if code not in (0x09, 0x0A)),
        0x7F,
        *range(0x80, 0xA0),
        0x00AD,
        0x034F,
        0x061C,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0x3164,
        *range(0xD800, 0xE000),
        *range(0xFE00, 0xFE10),
        0xFEFF,
        0xFFA0,
        *range(0xFFF0, 0xFFFC),
        *range(0xE0000, 0xE1000),
        *range(0x1F3FB, 0x1F400),
    ]
)
_DROPPED |= {0x1F1E6 + place: chr(ord("A") + place) for place in range(26)}
"""Skin tones go and flags become their letters: terminals disagree about how wide they are."""


def clean(text: str, limit: int = BODY_LIMIT) -> str:
    """The text without anything a terminal could act on, at most `limit` characters.

    A longer text is cut before it is cleaned, and ends in an ellipsis.
    """
    cut = len(text) > limit
    safe = text[:limit]
    if "\x1b" in safe:
        from wcwidth import strip_sequences  # 30 ms that the first paint does not need

        safe = strip_sequences(safe)
    if not (safe.isascii() and safe.isprintable()):
        safe = safe.replace("\r\n", "\n").translate(_DROPPED)
    return safe + "…" if cut else safe


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """`clean`, with all white space folded to single spaces."""
    folded = " ".join(clean(text, limit * 4).split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"
