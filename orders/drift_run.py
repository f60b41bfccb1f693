"""Looking at every open order of a store: each night, after an outage, and when somebody asks.

A check is a row with a cursor, so it goes on where a crash or a long night left it.
"""

import time
from collections.abc import Sequence

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from bigcommerce.client import BigCommerce
from bigcommerce.errors import Rejected, Unavailable
from orders import gates
from orders.doorbell import ring
from orders.drift import Found, listed, look, open_orders, problems_of, strays
from orders.models import Drift, DriftCheck, Order, Reconciliation
from orders.patience import be_patient
from orders.queue import mark_changed
from orders.reports import SECRETS, last_moment
from stores.clients import bigcommerce_for
from stores.locks import Busy, only_one
from stores.models import Store

log = structlog.get_logger(__name__)

SECONDS = 120.0  # then another task goes on
CHUNK = 100
KEEP = 30  # checks of a store
State, Cause, Kind = DriftCheck.State, DriftCheck.Cause, Drift.Kind


def check_due() -> None:
    """Begin what is due, go on with what is under way."""
    for store, cause in _due():
        start(store, cause)
    until = time.monotonic() + SECONDS
    for pk in DriftCheck.objects.filter(state=State.RUNNING).values_list("pk", flat=True):
        if time.monotonic() < until:
            work(pk, until)


def _due() -> list[tuple[Store, str]]:
    """Stores whose night has come, and those that an outage is over for."""
    now = timezone.now()
    stores = Store.objects.filter(state=Store.State.INSTALLED).defer(*SECRETS)
    due: list[tuple[Store, str]] = []
    for store in stores.annotate(last=Max("drift_checks__started_at")).iterator(500):
        moment = last_moment(store, now)
        if store.installed_at <= moment and (store.last is None or store.last < moment):
            due.append((store, Cause.NIGHT))
    after = stores.filter(reconciliation__outage=True)
    return due + [(store, Cause.OUTAGE) for store in after if gates.is_well(store)]


def start(store: Store, cause: str) -> bool:
    """Begin a check, unless one is under way."""
    try:
        with transaction.atomic():
            DriftCheck.objects.create(store=store, cause=cause, total=open_orders(store).count())
    except IntegrityError:
        return False
    Reconciliation.objects.filter(store=store, outage=True).update(outage=False)
    _forget(store)
    return True


def _forget(store: Store) -> None:
    newest = DriftCheck.objects.filter(store=store).order_by("-id")
    keep = newest.values_list("pk", flat=True)[:KEEP]
    DriftCheck.objects.filter(store=store).exclude(pk__in=list(keep)).delete()


def work(check_id: int, until: float | None = None) -> None:
    """Go on with a check, unless somebody else does or the time is up."""
    check = DriftCheck.objects.select_related("store").get(pk=check_id)
    try:
        with only_one(f"drift of {check.store_id}"):
            check.refresh_from_db()
            if check.state == State.RUNNING:
                _work(check, time.monotonic() + SECONDS if until is None else until)
    except Busy:
        return


def _work(check: DriftCheck, until: float) -> None:
    api = bigcommerce_for(check.store)
    try:
        while _chunk(check, api, until):
            if time.monotonic() > until:
                return
        for stray in strays(check.store, api):
            _keep(check, int(stray["id"]), Found(Kind.STRAY, str(stray.get("payment_method"))))
    except (Rejected, Unavailable) as error:
        _end(check, State.FAILED, str(error))
    else:
        _end(check, State.DONE, "")
    ring()


def _chunk(check: DriftCheck, api: BigCommerce, until: float) -> bool:
    """Look at the next orders, while there is time. False when there are none."""
    rows = open_orders(check.store).filter(bigcommerce_id__gt=check.after)
    orders = list(rows.select_related("connection")[:CHUNK])
    if not orders:
        return False
    for order in orders:
        order.store = check.store
    listing, entries = listed(api, orders), problems_of(check.store, orders)
    for order in orders:
        found = look(order, api, listing, entries[order.bigcommerce_id])
        _found(check, order, found)
        be_patient(api, check.store_id)
        if time.monotonic() > until:
            break
    return True


@transaction.atomic
def _found(check: DriftCheck, order: Order, found: Sequence[Found]) -> None:
    """Write down what was found, repair what is safe, move on."""
    for one in found:
        repaired = one.kind == Kind.MISSED and bool(mark_changed(pk=order.pk))
        _keep(check, order.bigcommerce_id, one, order=order, repaired=repaired)
    check.checked, check.after = check.checked + 1, order.bigcommerce_id
    check.save(update_fields=["checked", "after"])


def _keep(
    check: DriftCheck,
    number: int,
    found: Found,
    *,
    order: Order | None = None,
    repaired: bool = False,
) -> None:
    known = {"detail": found.detail, "repaired": repaired}
    if order:
        known |= {"reference": order.reference, "environment": order.connection.environment}
    Drift.objects.update_or_create(
        check_run=check, bigcommerce_id=number, kind=found.kind, defaults=known
    )


def _end(check: DriftCheck, state: str, words: str) -> None:
    check.state, check.words, check.ended_at = state, words, timezone.now()
    check.save(update_fields=["state", "words", "ended_at"])
    log.info("drift_checked", store=check.store.hash, state=state, count=check.checked)
