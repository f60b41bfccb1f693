"""Text and JSON of remote systems and of browsers, cleaned in the one place where they are decoded.

PostgreSQL stores neither U+0000 nor half a surrogate pair, and UTF-8 has no bytes for the latter;
JSON of this kind has both as escapes. They are left out here, so nothing behind needs to expect
them. Python's parser also takes `NaN`, turns `1e999` into infinity and raises ValueError for a
number of 5,000 digits: such a number reads as null, like any amount that is not known.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

# Escapes of U+0000 and of surrogates, the escaped ones too: a needless check does no harm.
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|[\0\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return the text without U+0000 and without lone surrogates."""
    if text.isprintable():  # then it has neither
        return text
    return text.encode("utf-8", "ignore").decode().replace("\0", "")


def cleaned(value: Any, deepest: int | None = None) -> Any:
    """Return a JSON document with cleaned texts and keys, and null below `deepest` levels."""
    if isinstance(value, str):
        return clean_text(value)
    if not isinstance(value, dict | list):
        return value
    if deepest == 0:
        return None
    below = None if deepest is None else deepest - 1
    if isinstance(value, list):
        return [cleaned(one, below) for one in value]
    return {clean_text(key): cleaned(one, below) for key, one in value.items()}


def read_json(raw: bytes | str, deepest: int | None = None) -> Any:
    """Return the cleaned document of a body. Raise ValueError or RecursionError for no JSON."""
    text = raw if isinstance(raw, str) else raw.decode(json.detect_encoding(raw), "replace")
    document = _parsed(text)
    is_flat = deepest is None or text.count("{") + text.count("[") <= deepest
    if is_flat and not _SUSPICIOUS.search(text):
        return document
    return cleaned(document, deepest)


def section(value: object) -> Mapping[str, Any]:
    """Return this part of a document, which has names; an empty one for anything else.

    What is optional may be absent, null, or of a shape that nobody documents: the document is then
    read without it.
    """
    return value if isinstance(value, dict) else {}


def sections(value: object) -> list[Mapping[str, Any]]:
    """Return the parts of a list in a document, without nulls and whatever else has no names."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number_of(value: object) -> int | None:
    """Return the number by which a system knows something: 1 or more, also written as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = _whole(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def write_json(value: Any) -> bytes:
    """Return the body of a request, cleaned: not all of it was read by `read_json`."""
    text = _ENCODER.encode(value)
    return (json.dumps(cleaned(value)) if _SUSPICIOUS.search(text) else text).encode()


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a whole number with more digits than Python converts
        return json.loads(text, parse_float=_finite, parse_constant=_unknown, parse_int=_whole)


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:
        return None


def _unknown(_name: str) -> None:
    """Raise ValueError: NaN, Infinity and -Infinity are no JSON."""


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_unknown)
_ENCODER = json.JSONEncoder(allow_nan=False)


# Extract the messages from an error's body, whatever its shape: short and on one line.
#
# Seen: a list of objects (BigCommerce V2), an object with `title` and `errors` by field (V3),
# objects in `data` (V3 refunds), a list of sentences in `errors` (SeQura), plain text, HTML,
# nothing.
_LONGEST = 500  # characters of one message
_MOST = 20  # messages
_SENTENCES = ("title", "message", "detail", "error", "error_description")
_DETAILS = ("errors", "details", "data")


def messages_of(body: bytes) -> list[str]:
    """Return the messages in an error's body; none when it holds nothing readable."""
    text = clean_text(body.decode("utf-8", "replace")).strip()
    try:
        found = _sentences(read_json(text))
    except (ValueError, RecursionError):
        found = [_plain(text)]
    shortened = (" ".join(sentence.split())[:_LONGEST] for sentence in found)
    return list(dict.fromkeys(filter(None, shortened)))[:_MOST]


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
                sentence for key in _DETAILS for sentence in _details(value.get(key))
            ]
        case _:
            return []


def _details(value: Any) -> list[str]:
    """`{"destination": "is missing"}` reads "destination: is missing"."""
    if not isinstance(value, dict):
        return _sentences(value) if isinstance(value, list) else []
    return [f"{field}: {text}" for field, item in value.items() for text in _sentences(item)]


def _plain(text: str) -> str:
    """Return the title of an HTML page, or the text without its tags."""
    title = re.search(r"<title[^<>]*>([^<]*)</title", text, re.IGNORECASE)
    return title[1] if title else re.sub(r"<[^<>]*>", " ", text)
