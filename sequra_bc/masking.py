"""What must not stand in a log line, wherever it comes from."""

import re

LONGEST = 300  # characters of one text in a log line

RULES = [
    # https://user:password@host
    (re.compile(r"://[^/\s@]+@"), "://…@"),
    # Everything after the question mark of an address or path.
    (re.compile(r"(?<=[\w/%.~-])\?[^\s\"'<>]+"), "?…"),
    # Tokens in our own paths.
    (
        re.compile(r"(/(?:s|return|sequra/notification|sequra/event|reports?)/)[^/\s?\"'<>]+"),
        r"\1…",
    ),
    (re.compile(r"(?i)\b(bearer|basic|token)\s+[\w.+/=~-]{8,}"), r"\1 …"),
    # JSON web tokens; then keys, digests, tokens. A UUID is a reference and stays.
    (re.compile(r"\b[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}\b"), "…"),
    (re.compile(r"(?<![\w-])(?=[A-Za-z_]*\d)\w{24,}|[\w-]{40,}=*"), "…"),
    (re.compile(r"[\w+/-]{12,}={1,2}(?!\w)"), "…"),
    # People.
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "…@…"),
    (re.compile(r"(?<![\w-])\+?\d[\d .-]{7,}\d(?![\w-])"), "…"),
]


def mask(text: str) -> str:
    """The text without addresses' queries, tokens, e-mail addresses and telephone numbers."""
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
