"""A small language to say what a JSON document must look like.

A shape looks at a value and yields one sentence for everything that is wrong with it.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

Shape = Callable[[Any, str], Iterator[str]]

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


MOST = 10**15
LONGEST = 255


def is_integer(value: Any) -> bool:
    """For Python true is a number too; and nobody has that many cents."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST


def anything(_value: Any, _where: str) -> Iterator[str]:
    yield from ()


def text(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{where} must be a string"


def filled(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str) or not value.strip():
        yield f"{where} can't be blank"


def reference(value: Any, where: str) -> Iterator[str]:
    """A reference may be written as a string or as an integer."""
    if is_integer(value):
        return
    yield from filled(value, where)
    if isinstance(value, str) and len(value) > LONGEST:
        yield f"{where} is too long (maximum is {LONGEST} characters)"


def boolean(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{where} must be a boolean"


def integer(least: int | None = None, most: int | None = None) -> Shape:
    def check(value: Any, where: str) -> Iterator[str]:
        if not is_integer(value):
            yield f"{where} must be an integer"
        elif least is not None and value < least:
            yield f"{where} must be greater than or equal to {least}"
        elif most is not None and value > most:
            yield f"{where} must be less than or equal to {most}"

    return check


def one_of(*allowed: Any) -> Shape:
    def check(value: Any, where: str) -> Iterator[str]:
        if not any(value is choice or (value == choice) for choice in allowed):
            yield f"{where} {value!r} is not included in the list"

    return check


def matching(pattern: str, what: str) -> Shape:
    compiled = re.compile(pattern)

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            yield f"{where} must be {what}"

    return check


def email(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str) or not EMAIL.fullmatch(value):
        yield f"{where} is not an e-mail address"


def ip_address(value: Any, where: str) -> Iterator[str]:
    try:
        ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        yield f"{where} is not an IP address"


def url(value: Any, where: str) -> Iterator[str]:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in value
    except ValueError:
        valid = False
    if not valid:
        yield f"{where} is not a valid URL"


def moment(value: Any, where: str) -> Iterator[str]:
    """An ISO 8601 date, or a date with its time and offset."""
    try:
        parsed = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        yield f"{where} is not an ISO 8601 date"
        return
    if len(value) > len("2026-01-01") and parsed.tzinfo is None:
        yield f"{where} has no time zone offset"


def day(value: Any, where: str) -> Iterator[str]:
    try:
        date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        yield f"{where} is not a date (YYYY-MM-DD)"


def list_of(shape: Shape) -> Shape:
    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where} must be a list"
            return
        for position, element in enumerate(value):
            yield from shape(element, f"{where}[{position}]")

    return check


def map_of(shape: Shape) -> Shape:
    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} must be an object"
            return
        for key, element in value.items():
            yield from shape(element, f"{where}.{key}")

    return check


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with these keys and no others: an unknown key is a mistake worth hearing about."""
    known = {**(optional or {}), **required}

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} must be an object"
            return
        for key in required:
            if key not in value:
                yield f"{where}.{key} is missing"
        for key, element in value.items():
            if key not in known:
                yield f"{where}.{key} is unknown"
            else:
                yield from known[key](element, f"{where}.{key}")

    return check


def by_type(shapes: Mapping[str, Shape], default: str | None = None) -> Shape:
    """An object whose `type` decides what else it must hold."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} must be an object"
            return
        kind = value.get("type", default)
        if not isinstance(kind, str) or kind not in shapes:
            yield f"{where}.type {kind!r} is not included in the list"
            return
        yield from shapes[kind](value, where)

    return check


def both(first: Shape, second: Shape) -> Shape:
    """The second look is taken only at what passed the first."""

    def check(value: Any, where: str) -> Iterator[str]:
        wrong = list(first(value, where))
        yield from wrong
        if not wrong:
            yield from second(value, where)

    return check
