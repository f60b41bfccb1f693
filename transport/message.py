"""Extract the messages from an error's body, whatever its shape: short and on one line.

Seen: a list of objects (BigCommerce V2), an object with `title` and `errors` by field (V3), objects
in `data` (V3 refunds), a list of sentences in `errors` (SeQura), plain text, HTML, nothing.
"""

import re
from typing import Any

from transport.reading import clean_text, read_json

_LONGEST = 500  # characters of one message
MOST = 20  # messages
_SENTENCES = ("title", "message", "detail", "error", "error_description")
_DETAILS = ("errors", "details", "data")


def messages_of(body: bytes) -> list[str]:
    """Return the messages in an error's body; none when it holds nothing readable."""
    text = clean_text(body.decode("utf-8", "replace")).strip()
    try:
        found = _sentences(read_json(text))
    except (ValueError, RecursionError):
        found = [plain(text)]
    shortened = (" ".join(sentence.split())[:_LONGEST] for sentence in found)
    return list(dict.fromkeys(filter(None, shortened)))[:MOST]


def _sentences(value: Any) -> list[str]:
    """Return every sentence of a JSON error document, in its order."""
    match value:
        case str():
            return [value]
        case list():
            return [sentence for item in value for sentence in _sentences(item)]
        case dict():
            sentences = [value[key] for key in _SENTENCES if isinstance(value.get(key), str)]
            return sentences + [
                sentence for key in _DETAILS for sentence in details(value.get(key))
            ]
        case _:
            return []


def details(value: Any) -> list[str]:
    """`{"destination": "is missing"}` reads "destination: is missing"."""
    if not isinstance(value, dict):
        return _sentences(value) if isinstance(value, list) else []
    return [f"{field}: {text}" for field, item in value.items() for text in _sentences(item)]


def plain(text: str) -> str:
    """Return the title of an HTML page, or the text without its tags."""
    title = re.search(r"<title[^<>]*>([^<]*)</title", text, re.IGNORECASE)
    return title[1] if title else re.sub(r"<[^<>]*>", " ", text)
