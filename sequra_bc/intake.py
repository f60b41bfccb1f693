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
from sequra_bc.middleware import WEBHOOKS, request_id
from transport.tracing import span

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
        try:
            with span("POST", "server") as facts:
                facts["route"] = WEBHOOKS
                known = store_if_known(environ)
            if not known:
                return self.application(environ, start_response)
            status = 204
        except Refused as refusal:
            status = refusal.status
        except Exception:
            # Django stores the webhook, or shows to operators why it cannot be stored.
            log.exception("intake_failed")
            return self.application(environ, start_response)
        count_request("POST", WEBHOOKS, status, time.monotonic() - started)
        start_response(f"{status} {REASONS[status]}", [("X-Request-Id", identity)])
        return [b""]
