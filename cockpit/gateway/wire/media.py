"""Upper bounds for pictures, sound and documents, whose tokens do not follow from base64's length.

Rules, each a ceiling the vendors document: a picture by the largest size a model takes in; a PDF by
its pages, each as text (3,000) and as a picture (1,600); sound by its seconds at 8 kbit/s, the
thinnest coding in use, 32 tokens each; video the same at 64 kbit/s, 300 tokens each.
"""

import base64
import binascii
import math
import re

from cockpit.gateway.wire.contents import tokens_of

PICTURE = {"anthropic": 4_784, "chat": 4_000, "responses": 4_000, "gemini": 4_128, "ollama": 4_096}
PICTURE_IN_ORIGINAL_SIZE = 10_000
PICTURE_TO_4O_MINI = 48_169
"""2,833 and 5,667 for each of at most eight tiles: that model counts pictures 33 times as dear."""
PAGE = 4_600
BYTES_OF_A_PAGE = 8 * 1024
MOST_PAGES = 1_000
UNSEEN_PAGES = 100
"""Of a document that is only named by an address or a file id."""
UNSEEN_MEDIA = 100_000
"""Of sound or video that is only named."""
SOUND_BYTES_A_SECOND, SOUND_TOKENS_A_SECOND = 1_000, 32
VIDEO_BYTES_A_SECOND, VIDEO_TOKENS_A_SECOND = 8_000, 300

_PAGE_MARK = re.compile(rb"/Type\s*/Page[^s]")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?[^,]{0,200},")


def picture(wire: str, detail: object = "", model: str = "") -> int:
    """A picture on a wire."""
    if "4o-mini" in model:
        return PICTURE_TO_4O_MINI
    return PICTURE_IN_ORIGINAL_SIZE if detail == "original" else PICTURE[wire]


def of_kind(wire: str, kind: object, data: object) -> int:
    """Base64 `data` of a media type; anything that is no known medium counts as text."""
    name = kind if isinstance(kind, str) else ""
    if not isinstance(data, str):
        return named(wire, name)
    if name.startswith("image/"):
        return picture(wire)
    length = len(data) * 3 // 4
    if name.startswith("audio/"):
        return math.ceil(length / SOUND_BYTES_A_SECOND) * SOUND_TOKENS_A_SECOND
    if name.startswith("video/"):
        return math.ceil(length / VIDEO_BYTES_A_SECOND) * VIDEO_TOKENS_A_SECOND
    return pages(data) * PAGE if "pdf" in name else tokens_of(len(data))


def document(wire: str, data: object) -> int:
    """A file given as a `data:` URL or as base64 alone, or only named."""
    if not isinstance(data, str):
        return named(wire)
    url = _DATA_URL.match(data)
    kind, content = (url[1], data[url.end() :]) if url else ("application/pdf", data)
    return of_kind(wire, kind, content)


def named(wire: str, kind: str = "") -> int:
    """A medium that the request only names by an address or an id."""
    if kind.startswith("image/"):
        return picture(wire)
    return UNSEEN_MEDIA if kind.startswith(("audio/", "video/")) else UNSEEN_PAGES * PAGE


def of_url(wire: str, url: object, detail: object = "", model: str = "") -> int:
    """A picture or document given as an address or as a `data:` URL."""
    data = _DATA_URL.match(url) if isinstance(url, str) else None
    if not isinstance(url, str) or data is None or (data[1] or "image/").startswith("image/"):
        return picture(wire, detail, model)
    return of_kind(wire, data[1], url[data.end() :])


def pages(data: str) -> int:
    """Pages of a PDF: those it marks, else one for every 8 KiB."""
    try:
        document = base64.b64decode(data)
    except (binascii.Error, ValueError):
        document = b""
    marked = len(_PAGE_MARK.findall(document))
    return marked or min(MOST_PAGES, math.ceil(len(data) * 3 / 4 / BYTES_OF_A_PAGE) or 1)
