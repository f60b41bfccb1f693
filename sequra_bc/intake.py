"""Answer webhooks in front of Django, where most of a request's time went.

Whatever is not a webhook with the right secret of a known store goes on to Django, which decides.
"""

import time
from collections.abc import Iterable

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from orders.webhooks import PREFIX, Refused, store_if_known
from sequra_bc.bulkheads import REASONS, REQUEST_ID, Application, Environ, StartResponse
from sequra_bc.metrics import count_request
from sequra_bc.middleware import WEBHOOKS, request_id, request_span

log = structlog.get_logger(__name__)


class Intake:
    """The WSGI application around Django's, inside of `Bulkheads`, which has read the body."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not str(environ.get("PATH_INFO", "")).startswith(PREFIX):
            return self.application(environ, start_response)
        started = time.monotonic()
        # Django finds the same id when it goes on with the request.
        identity = environ[REQUEST_ID] = request_id(environ.get(REQUEST_ID, ""))
        clear_contextvars()
        bind_contextvars(request_id=identity)
        with request_span(environ) as facts:
            status = _status(environ)
            if not status:
                return self.application(environ, start_response)
            facts |= {"route": WEBHOOKS, "status": status}
        count_request("POST", WEBHOOKS, status, time.monotonic() - started)
        start_response(f"{status} {REASONS[status]}", [("X-Request-Id", identity)])
        return [b""]


def _status(environ: Environ) -> int:
    """Return the status of the response; 0 when Django has to answer."""
    try:
        return 204 if store_if_known(environ) else 0
    except Refused as refusal:
        return refusal.status
    except Exception:
        # Django stores the webhook, or shows to operators why it cannot be stored.
        log.exception("intake_failed")
        return 0
