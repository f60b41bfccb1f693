"""What must not stand in a log line, wherever it comes from."""

import re

LONGEST = 300  # characters of one text in a log line
READ = 1_200  # characters of a text that are looked at; the cost ends here

# Every rule starts where a run of its characters starts, and its repetitions are bounded: the cost
# grows with the length of the text and no faster.
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
    (re.compile(r"(?i)\b(bearer|basic|token)\s{1,8}[\w.+/=~-]{8,}"), r"\1 …"),
    # JSON web tokens; then keys, digests, tokens. A UUID is a reference and stays.
    (re.compile(r"(?<![\w-])[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}\b"), "…"),
    (re.compile(r"(?<![\w-])(?=[A-Za-z_]*\d)\w{24,}|(?<![\w-])[\w-]{40,}=*"), "…"),
    (re.compile(r"(?<![\w+/-])[\w+/-]{12,}={1,2}(?!\w)"), "…"),
    # People.
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+"), "…@…"),
    (re.compile(r"(?<![\w-])\+?\d[\d .-]{7,30}\d(?![\w-])"), "…"),
]


def mask(text: str) -> str:
    """The text without addresses' queries, tokens, e-mail addresses and telephone numbers."""
    is_cut = len(text) > READ
    if is_cut:
        text = _whole_words(text[:READ])
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    if len(text) > LONGEST:
        return text[: LONGEST - 1] + "…"
    return text + "…" if is_cut else text


def _whole_words(text: str) -> str:
    """Drop what stands at the cut: half of a word, and a number that spaces divide."""
    return text.rstrip("0123456789 .+-").rpartition(" ")[0]
