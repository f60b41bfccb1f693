"""Send the delivery reports of a store: one run, all its merchant ids, page by page.

It is a run of `orders.nightly`, and accepted pages are not sent again.

https://docs.sequra.com/docs/delivery-report-and-statistics
"""

import hmac
import random
import secrets
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from orders.models import MerchantReport, Order, ReportRun
from orders.nightly import NightlyJob
from orders.queue.wakeup import wake_worker
from orders.reports.pages import (
    Addressee,
    addressees,
    next_page,
    send_page,
    to_report_by,
)
from orders.reports.statistics import statistics_of
from payloads.reports import PAGE, Report
from sequra.client import Rejected, Unavailable
from stores.channels import in_use
from stores.clients import sequra_for
from stores.encryption import readable
from stores.models import Connection, Store, database_now
from stores.rate_limit import LIMITS, RateLimited, caller, consume
from transaction_log import record
from transaction_log.models import Entry

log = structlog.get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)
_State, _Part = ReportRun.State, MerchantReport.State


def send_due() -> None:
    """Start the runs that are due, retry failed ones, and work on every running one."""
    in_use = Store.objects.exclude(state=Store.State.UNINSTALLED)
    _REPORTS.start_due(in_use, _start_at_night)
    _take_up()
    _REPORTS.continue_running()


def _start_at_night(store: Store) -> bool:
    """Start a run where the merchant wants one. Return whether nothing is left to start."""
    wanted = store.reports_enabled and in_use(store).exists()
    return start(store, ReportRun.Cause.NIGHT) if wanted else True


def start(store: Store, cause: str) -> bool:
    """Start a run unless one is running. A failed run is given up for the new one."""
    started = _REPORTS.start(store, cause=cause)
    if started:
        store.report_runs.filter(next_at__isnull=False).update(next_at=None)
    return started


def _has_failed(store: Store) -> bool:
    """Return whether the last finished run failed."""
    ended = store.report_runs.exclude(state=_State.RUNNING).order_by("-id").first()
    return ended is not None and ended.state == _State.FAILED


def _take_up() -> None:
    """Resume failed runs whose pause is over."""
    for run in ReportRun.objects.filter(next_at__lte=Now()):
        try:
            with transaction.atomic():
                ReportRun.objects.filter(pk=run.pk, state=_State.FAILED).update(
                    state=_State.RUNNING, next_at=None
                )
        except IntegrityError:  # a newer one is under way
            ReportRun.objects.filter(pk=run.pk).update(next_at=None)


def _work(run: ReportRun, until: float) -> None:
    if run.store.state == Store.State.UNINSTALLED:
        _end(run)
        return
    statistics = statistics_of(run.store)
    for report in _parts(run):
        if not _send(report, statistics, until):
            return  # the time is up: the run stays under way
    _end(run)


def _parts(run: ReportRun) -> list[MerchantReport]:
    """Return the reports of the run that SeQura has not accepted; create them first if needed."""
    if not run.reports.exists():
        MerchantReport.objects.bulk_create(
            (_planned(run, one) for one in addressees(run.store)), ignore_conflicts=True
        )
    parts = run.reports.exclude(state=_Part.SENT).select_related("run__store", "connection")
    return list(parts.order_by("pk"))


def _planned(run: ReportRun, addressee: Addressee) -> MerchantReport:
    return MerchantReport(
        run=run,
        connection=addressee.connection,
        merchant_ref=addressee.merchant_ref,
        orders=to_report_by(addressee, run.store).count(),
    )


def _send(report: MerchantReport, statistics: Sequence[Report] | None, until: float) -> bool:
    """Send one merchant id's report; its failure stays with it. Return False when the time is up.

    Merchant ids share accounts: an account may have been paused a moment ago, or replaced by
    another, which may have a report of its own.
    """
    account = Connection.objects.filter(pk__in=_account_of(report)).first()
    if account is None:
        return True
    report.connection = account
    if report.connection.is_refused:
        _fail(report, "sequra_unauthorised", "")
        return True
    try:
        while not _page(report, statistics):
            if time.monotonic() > until:
                return False
    except Rejected as refusal:
        _refused(report, refusal)
    except Unavailable as error:
        _fail(report, "sequra_unavailable", error.reason)
    else:
        _sent(report)
    return True


def _account_of(report: MerchantReport) -> QuerySet[MerchantReport, int]:
    return MerchantReport.objects.filter(pk=report.pk).values_list("connection", flat=True)


def take_along(account: Connection, earlier: list[int], refs: list[str]) -> None:
    """Move unfinished reports of earlier accounts with these merchant ids to this account.

    They start again at the first order: accepted orders are marked, and others may have been moved
    too.
    """
    under_way = Q(run__state=_State.RUNNING) | Q(run__next_at__isnull=False)
    parts = MerchantReport.objects.filter(
        under_way, run__store=account.store, merchant_ref__in=refs
    )
    known = set(parts.filter(connection=account).values_list("run", "merchant_ref"))
    reports = parts.exclude(state=_Part.SENT)
    for report in reports.filter(connection__in=earlier).order_by("pk"):
        if (report.run_id, report.merchant_ref) in known:
            report.delete()
            continue
        known.add((report.run_id, report.merchant_ref))
        _write(report, connection=account, after=0)
    mine = reports.filter(connection=account)
    mine.update(after=0)
    ReportRun.objects.filter(pk__in=mine.values("run"), state=_State.FAILED).update(next_at=Now())


def _page(report: MerchantReport, statistics: Sequence[Report] | None) -> bool:
    """Send the next page. Return True when it was the last one."""
    page = next_page(report)
    first = report.pages * PAGE
    part = None if statistics is None else statistics[first : first + PAGE]
    rest = len(statistics or ()) - first - PAGE
    if page.orders or part or not report.pages:
        send_page(sequra_for(report.connection), report, page, part)
    return page.is_last and rest <= 0


def _sent(report: MerchantReport) -> None:
    report.connection.resume()
    _write(report, state=_Part.SENT, sent_at=timezone.now(), reason="", words="")
    _settled(report)
    words = f"{report.merchant_ref}: {report.told}"
    record.accepted(_subject(report), "report", reason="report_sent", words=words)


def _refused(report: MerchantReport, refusal: Rejected) -> None:
    if refusal.status == 401:
        report.connection.pause()
        _fail(report, "sequra_unauthorised", refusal.message)
    else:
        _fail(report, f"sequra_{refusal.status}", refusal.message)


def _fail(report: MerchantReport, reason: str, words: str) -> None:
    _write(report, state=_Part.FAILED, reason=reason, words=words)
    log.warning("report_failed", merchant=report.merchant_ref, reason=reason)


def _write(report: MerchantReport, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(report, name, value)
    report.save(update_fields=list(fields))


def _end(run: ReportRun) -> None:
    """End the run. Failed reports are retried automatically after a pause."""
    run.ended_at, run.attempts = timezone.now(), run.attempts + 1
    failed = list(run.reports.filter(state=_Part.FAILED).select_related("run__store", "connection"))
    run.state = _State.FAILED if failed else _State.DONE
    run.next_at = _again_at(run, failed) if failed else None
    run.save(update_fields=["ended_at", "attempts", "state", "next_at"])
    for report in failed:
        _record_delay(report, run.next_at)
    log.info("reports_ended", store=run.store.hash, state=run.state, count=run.reports.count())


def _again_at(run: ReportRun, failed: Sequence[MerchantReport]) -> datetime:
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(run.attempts - 1, 10))
    pauses = [report.connection.paused_until for report in failed]
    at = database_now() + longest * random.uniform(0.5, 1)
    latest: datetime = max([at, *(pause for pause in pauses if pause)])
    return latest


def _record_delay(report: MerchantReport, next_at: datetime | None) -> None:
    record.delayed(
        _subject(report),
        "report",
        report.reason,
        words=f"{report.merchant_ref}: {report.words}",
        statement=_statement(report),
        next_at=next_at,
    )


def _settled(report: MerchantReport) -> None:
    """Close entries about problems that this report did not find again."""
    still_open = Entry.objects.filter(
        store=report.run.store, event="report", closed_at__isnull=True
    )
    now = timezone.now()
    still_open.filter(statement=_statement(report)).update(closed_at=now, next_at=None)
    reported_here = Order.objects.filter(
        store=report.run.store, connection=report.connection, merchant_ref=report.merchant_ref
    )
    about_orders = still_open.filter(bigcommerce_id__in=reported_here.values("bigcommerce_id"))
    about_orders.filter(last_at__lt=report.run.started_at).update(closed_at=now)


def _statement(report: MerchantReport) -> str:
    """Return the statement of a report's entry: one open entry per merchant id."""
    return sha256(f"report {report.connection_id} {report.merchant_ref}".encode()).hexdigest()


def _subject(report: MerchantReport) -> record.Subject:
    return record.Subject(store=report.run.store, environment=report.connection.environment)


# Statistics and a page may take longer than the seconds. The trigger address may be called all day.
_REPORTS = NightlyJob("reports", ReportRun, "report_due_at", seconds=60.0, keep=200, work=_work)


# The trigger URL: a request to it starts a store's delivery reports.
#
# SeQura's cron (`sequra-cron`) requests it and expects `ok` with 200, or `ko` with 599 when the
# last run failed, at once. https://docs.sequra.com/docs/delivery-report-and-statistics
_FAILED = 599
_DUMMY_TOKEN = secrets.token_urlsafe(32)  # compared when there is no such store: it takes as long


@csrf_exempt  # it changes nothing but by its secret address; another method is a 405
@require_GET
def trigger_report(request: HttpRequest, public_id: UUID, token: str) -> HttpResponse:
    """Start a run unless one is running. Answer with the result of the last one."""
    store = Store.objects.filter(public_id=public_id).first()
    known = store is not None and store.state != Store.State.UNINSTALLED
    expected = (readable(store, "report_token") if store and known else "") or _DUMMY_TOKEN
    if not hmac.compare_digest(token.encode(), expected.encode()) or store is None or not known:
        return _wrong(request.META["REMOTE_ADDR"])
    failed = _has_failed(store)
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
