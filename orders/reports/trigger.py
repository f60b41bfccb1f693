"""The trigger URL: a request to it starts a store's delivery reports.

SeQura's cron (`sequra-cron`) requests it and expects `ok` with 200, or `ko` with 599 when the last
run failed, at once. https://docs.sequra.com/docs/delivery-report-and-statistics
"""

import hmac
import secrets
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from orders.models import ReportRun
from orders.queue.wakeup import wake_worker
from orders.reports.run import has_failed, start
from stores.encryption import readable
from stores.models import Store
from stores.rate_limit import LIMITS, RateLimited, caller, consume

_FAILED = 599
_DUMMY_TOKEN = secrets.token_urlsafe(32)  # compared when there is no such store: it takes as long


@csrf_exempt
@require_GET
def trigger_report(request: HttpRequest, public_id: UUID, token: str) -> HttpResponse:
    """Start a run unless one is running. Answer with the result of the last one."""
    store = Store.objects.filter(public_id=public_id).first()
    known = store is not None and store.state != Store.State.UNINSTALLED
    expected = (readable(store, "report_token") if store and known else "") or _DUMMY_TOKEN
    if not hmac.compare_digest(token.encode(), expected.encode()) or store is None or not known:
        return _wrong(request.META["REMOTE_ADDR"])
    failed = has_failed(store)
    start(store, ReportRun.Cause.CALL)
    wake_worker("send_reports")
    return _reply("ko", _FAILED) if failed else _reply("ok", 200)


def _wrong(address: str) -> HttpResponse:
    """Answer a wrong token with 404, and too many of them with 429.

    The right token never counts.
    """
    try:
        consume(f"report address {caller(address)}", **LIMITS["report address"])
    except RateLimited as limited:
        response = _reply("", 429)
        response["Retry-After"] = str(limited.retry_after)
        return response
    return _reply("", 404)


def _reply(body: str, status: int) -> HttpResponse:
    response = HttpResponse(body, status=status, content_type="text/plain")
    response["Cache-Control"] = "no-store"
    return response
