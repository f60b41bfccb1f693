"""Errors to Sentry and traces to an OpenTelemetry collector, each by one setting.

Neither library may look around by itself: requests, local variables and messages of exceptions hold
personal data. An event of Sentry is a log line of level ERROR as `logs` lets it out, field by
field. A span is a name and the facts that `transport.tracing` is given.

The id of a trace is the id of the request, so a log line leads to its trace, and the tasks that
follow from a request are in it. Settings import this module only when one of the two is set.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.util import Finalize
from typing import Any

import sentry_sdk
from celery.signals import worker_process_init, worker_process_shutdown
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode
from sentry_sdk.integrations.atexit import AtexitIntegration
from structlog.contextvars import get_contextvars

from sequra_bc.logs import formatter, is_ours
from transport import __version__
from transport.tracing import Facts, Kind, collect_with

_PLACE = re.compile(r"(.+):(\d+) (.+)")
_TAGS = ("request_id", "task", "route", "status", "store", "api", "call")
_PATIENCE = 2  # seconds for events that are unsent when a process ends
_HEX_ID = re.compile(r"[0-9a-f]{32}")


def report_errors(dsn: str) -> None:
    """Send log lines of level ERROR to Sentry. Raise ValueError for an unusable DSN."""

    def connect(**_: Any) -> None:
        sentry_sdk.init(
            dsn,
            release=__version__,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AtexitIntegration(callback=lambda _pending, _seconds: None)],
            auto_session_tracking=False,
            max_breadcrumbs=0,
            shutdown_timeout=_PATIENCE,
        )

    connect()
    handler = _SentryHandler(logging.ERROR)
    handler.setFormatter(formatter())
    logging.getLogger().addHandler(handler)
    # A worker's child would send on the open connection of its parent.
    worker_process_init.connect(connect, weak=False, dispatch_uid="errors")
    _at_the_end(lambda: sentry_sdk.flush(_PATIENCE), "errors")


def _at_the_end(send: Callable[[], object], what: str) -> None:
    """Send what is unsent when a process ends, also a child of granian or of a worker.

    Those end without Python's own shutdown: each in the way of its library.
    """
    # typeshed knows its arguments for some versions of Python only.
    Finalize(None, send, exitpriority=0)  # type: ignore[no-untyped-call, unused-ignore]
    worker_process_shutdown.connect(lambda **_: send(), weak=False, dispatch_uid=what)


class _SentryHandler(logging.Handler):
    """Send each line as an event, but those of a collector that is away: they come every 5 s."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("opentelemetry."):
            return
        try:
            event: Any = event_of(json.loads(self.format(record)))
            sentry_sdk.capture_event(event)
        except Exception:  # noqa: BLE001 (as every handler of logging: no log line ends its caller)
            self.handleError(record)


def event_of(line: dict[str, Any]) -> dict[str, Any]:
    """Return the event for a log line. Its places become the stack, by which Sentry groups."""
    event = {
        "level": line["level"],
        "logger": line["logger"],
        "transaction": line.get("task") or line.get("route"),
        "tags": {name: str(line[name]) for name in _TAGS if name in line},
        "extra": {name: value for name, value in line.items() if name != "where"},
    }
    if "error" not in line:
        return event | {"message": line["event"]}
    kind, _, more = line["error"].partition(":")
    frames = [_frame(place) for place in line.get("where", [])]
    exception = {
        "type": kind,
        "value": f"{line['event']}{more and ':'}{more}",
        "stacktrace": {"frames": frames} if frames else None,
    }
    return event | {"exception": {"values": [exception]}}


def _frame(place: str) -> dict[str, Any]:
    """Return a frame for `file:line function`."""
    found = _PLACE.fullmatch(place)
    if not found:
        return {"function": place}
    path, number, function = found.groups()
    frame = {"filename": path, "lineno": int(number), "function": function}
    return frame | {"in_app": is_ours(path)}


class _RequestIds(RandomIdGenerator):
    """Make the request's id that of the trace."""

    def generate_trace_id(self) -> int:
        request_id = str(get_contextvars().get("request_id", ""))
        if not request_id:
            return super().generate_trace_id()
        digits = request_id.replace("-", "").lower()
        if not _HEX_ID.fullmatch(digits):
            digits = hashlib.sha256(request_id.encode()).hexdigest()[:32]
        return int(digits, 16) or super().generate_trace_id()


def collect_traces(endpoint: str) -> None:
    """Send the spans of this process to the collector at this address, by OTLP over HTTP."""
    about = {"service.name": "sequra-bigcommerce", "service.version": __version__}
    provider = TracerProvider(resource=Resource(about), id_generator=_RequestIds())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("sequra_bc", __version__)
    _at_the_end(provider.force_flush, "spans")

    @contextmanager
    def opened(name: str, kind: Kind) -> Iterator[Facts]:
        facts: Facts = {}
        with tracer.start_as_current_span(
            name,
            kind=SpanKind[kind.upper()],
            record_exception=False,
            set_status_on_exception=False,
        ) as current:
            try:
                yield facts
            except BaseException as error:
                # The type alone: the message may quote data.
                current.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            finally:
                if "route" in facts:
                    current.update_name(f"{name} {facts['route']}")
                if int(facts.get("status", 0)) >= 500:
                    current.set_status(Status(StatusCode.ERROR))
                current.set_attributes(facts)

    collect_with(opened)
