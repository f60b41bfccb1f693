"""JSON lines on standard output: references, never personal data, secrets, queries or bodies.

Every line, of this project or of a library, passes three filters. Only the fields in `_FIELDS` are
written. Texts are masked and cut. Exceptions are logged by type and place, and with their message
only where the message is Python's own.
"""

import logging
import re
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog
from django.http import HttpRequest
from structlog.typing import EventDict, WrappedLogger

# Limits and rules for every text in a log line, whatever its source.
_LONGEST = 300  # characters of one text in a log line
_READ = 1_200  # characters of a text that are searched, to bound the cost

# Every rule starts where a run of its characters starts, and its repetitions are bounded: the cost
# grows with the length of the text and no faster.
_RULES = [
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


def _mask(text: str) -> str:
    """Return the text without queries of URLs, tokens, e-mail addresses and telephone numbers."""
    is_cut = len(text) > _READ
    if is_cut:
        text = _whole_words(text[:_READ])
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    if len(text) > _LONGEST:
        return text[: _LONGEST - 1] + "…"
    return text + "…" if is_cut else text


def _whole_words(text: str) -> str:
    """Drop the remains at the cut: a partial word, and a number divided by spaces."""
    return text.rstrip("0123456789 .+-").rpartition(" ")[0]


_FIELDS = (
    "time",
    "level",
    "event",
    "logger",
    "request_id",
    "method",
    "route",
    "status",
    "ms",
    "task",
    "task_id",
    "store",
    "order",
    "reference",
    "solicitation",
    "merchant",
    "country",
    "product",
    "scope",
    "phase",
    "state",
    "attempt",
    "attempts",
    "outcome",
    "reason",
    "api",
    "call",
    "count",
    "seconds",
    "version",
    "error",
    "where",
    "message",
    "dropped",
    "why",
    "host",
    "checkout",
    "reasons",
    "problems",
    "source",
    "request",
    "channel",
    "hook",
    "queue",
    "worker",
)
# Written by this module, never from received data.
_MADE_HERE = frozenset(["time", "level", "logger", "request_id", "task_id"])
# Their messages come from the interpreter or the driver's connection, not from data.
_TELLING = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)
_DEEPEST = 12  # stack frames in a line, and of these the innermost of libraries
_DEEPEST_FOREIGN = 4
_ROOT = f"{Path(__file__).resolve().parent.parent}/"


class _Frames(list[str]):
    """Places in the code and its libraries, never from received data."""


def _place(error: BaseException) -> _Frames:
    """Return the innermost frames as `file:line function`, without source lines and values.

    An error of the database is a dozen frames deep in libraries: our own frames stay in the line.
    """
    frames = traceback.extract_tb(error.__traceback__)
    known = [
        frame
        for depth, frame in enumerate(frames, start=_DEEPEST_FOREIGN - len(frames))
        if depth >= 0 or is_ours(frame.filename)
    ]
    return _Frames(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in known[-_DEEPEST:])


def is_ours(file: str) -> bool:
    """Return whether a source file is this project's, not Python's or a library's."""
    return file.startswith(_ROOT) and "site-packages" not in file


def _name(error: BaseException) -> str:
    """Return `TypeError: unsupported operand …`, or only the type; then its cause."""
    words = f": {error}" if isinstance(error, _TELLING) else ""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    because = f" < {type(cause).__name__}" if cause else ""
    return f"{type(error).__name__}{words}{because}"


def _describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["error"], event["where"] = _name(error), _place(error)
    return event


def _describe_library_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace a library's sentence by an event name and fields, since it may quote data."""
    record: logging.LogRecord | None = event.get("_record")
    if record is None:
        return event
    if record.name == "celery.app.trace":
        event["event"] = "task failed"
    elif isinstance(request := getattr(record, "request", None), HttpRequest):
        event["event"] = "request failed"
        event["route"] = route(request)
        event["status"] = getattr(record, "status_code", 0)
    return event


def _tidy(value: Any) -> Any:
    """Return numbers and booleans as they are, lists and tables by item, other values masked."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _tidy(item) for key, item in list(value.items())[:50]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_tidy(item) for item in list(value)[:50]]
    return _mask(str(value))


def _gate(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop fields that are not on the list, and add how many were dropped."""
    kept = {
        key: value if key in _MADE_HERE or isinstance(value, _Frames) else _tidy(value)
        for key in _FIELDS
        if (value := event.get(key)) is not None
    }
    if lost := [key for key in event if key not in _FIELDS and not key.startswith("_")]:
        kept["dropped"] = len(lost)
    return kept


_BEFORE: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]


def formatter() -> structlog.stdlib.ProcessorFormatter:
    """Return the formatter for structlog and for libraries that use standard logging."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_BEFORE,
        processors=[
            _describe_library_event,
            _describe_exception,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _gate,
            structlog.processors.JSONRenderer(sort_keys=False),
        ],
    )


# Libraries whose routine lines hold addresses or are useless, and their lowest logged level.
_QUIETER = {
    "urllib3": logging.ERROR,
    "requests": logging.ERROR,
    "kombu": logging.WARNING,
    "amqp": logging.WARNING,
    "celery": logging.INFO,
    "celery.app.trace": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "celery.beat": logging.WARNING,
    "django": logging.INFO,
    "django.db.backends": logging.WARNING,
    "django.template": logging.WARNING,
    "asyncio": logging.WARNING,
    "faker": logging.WARNING,
    "opentelemetry": logging.ERROR,
}


class _NotOurRequestLine(logging.Filter):
    """Drop `django.request` lines of 4xx responses: they hold the path, our own line the route."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None or record.levelno >= logging.ERROR


def structured_logging(level: str) -> None:
    """Set up logging for the whole process; the settings call it once."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for logger, least in _QUIETER.items():
        logging.getLogger(logger).setLevel(least)
    # These bring their own handlers, in plain text.
    for logger in ("_granian", "granian.access", "gunicorn.error", "gunicorn.access"):
        logging.getLogger(logger).handlers.clear()
        logging.getLogger(logger).propagate = True
    logging.getLogger("django.request").addFilter(_NotOurRequestLine())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[*_BEFORE, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def route(request: HttpRequest) -> str:
    """Return the pattern of the path, `s/<str:session>/orders`, without its values."""
    return request.resolver_match.route if request.resolver_match else "(none)"
