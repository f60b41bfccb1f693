"""Where personal data is stored, and its erasure once its time is over.

`TABLES` names every text and JSON column of the database: what replaces personal data in it, or
that it holds none. A test compares it with the models, so that no column is forgotten.

After an uninstallation everything goes when ERASE_AFTER_UNINSTALL_HOURS have passed; of a store
that keeps the app, what has not changed for ERASE_PURCHASES_AFTER_DAYS. What accounting needs
stays: references, amounts, states and dates. See docs/adr/0018.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Model, Q, QuerySet, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from stores.isolation import in_turn
from stores.lifecycle import store_apps
from stores.models import Store
from transport.stopping import before_a_call

log = structlog.get_logger(__name__)

_BATCH = 500
# Of one store in one run, so that a large one does not keep the others waiting.
_SECONDS_OF_A_STORE = 20.0
# A store without anything to erase is searched again after this time; shortly after its
# uninstallation in each run, because a call that was under way may have stored something.
_AGAIN_AFTER, _LATE_WRITES = timedelta(days=1), timedelta(hours=1)

# Statements to SeQura -----------------------------------------------------------------------------

_CARTS = ("cart", "unshipped_cart", "shipped_cart")
_IMPERSONAL_PARTS = ("merchant", "merchant_reference", "platform")
_IMPERSONAL_TEXTS = ("type", "reference", "currency", "ends_on", "ends_in")


def _without_people(statement: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return references, amounts and units of an order as it was sent to SeQura.

    The names of the items go too: what a shopper has engraved on a product is part of them.
    """
    if statement is None:
        return None
    kept = {name: statement[name] for name in _IMPERSONAL_PARTS if name in statement}
    return kept | {name: _figures(statement[name]) for name in _CARTS if name in statement}


def _figures(value: Any) -> Any:
    if isinstance(value, list):
        return [_figures(one) for one in value]
    if isinstance(value, dict):
        return {
            key: _figures(one)
            for key, one in value.items()
            if key in _IMPERSONAL_TEXTS or not isinstance(one, str)
        }
    return value


# The table ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Table:
    """The text and JSON columns of a model.

    `people` maps a column with personal data to what replaces it: a value, an expression, or a
    function of the old value. `impersonal` columns stay. Rows are `forgotten` as a whole when they
    match, and the others blanked where they match `holding`.
    """

    people: Mapping[str, Any] = field(default_factory=dict)
    impersonal: tuple[str, ...] = ()
    forgotten: Q | None = None
    holding: Q | None = None
    # All of these moments lie before the border; one that never came counts as past.
    dates: tuple[str, ...] = ()
    # Other columns that change with them, and those that follow in a second statement.
    also: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] = field(default_factory=dict)
    owner: str = "store"
    # The columns that say whose data it is, for `people`: SeQura's reference, where a payment may
    # still need the data; BigCommerce's order; its checkout.
    reference: str = ""
    order: str = ""
    checkout: str = ""
    users: tuple[str, ...] = ()  # of `people`, the columns that name the merchant's own users
    in_work: Q | None = None  # rows that are erased by their time alone, never on request


_ALL = Q(pk__isnull=False)
_NOT_ERASED = Q(erased_at__isnull=True)
_HAS_TEXT = ~Q(words="") | ~Q(note="") | ~Q(ignored_by="")
_IS_ABANDONED = Q(phase="solicited", state="", confirm_intent_at=None)
# SeQura is being asked: its reference follows.
_IS_ASKED = Q(reference=None, created_at__gt=Now() - timedelta(minutes=5))
# A worker has read the order, or will, and stores what SeQura accepts of it.
_IS_SYNCED = Q(leased_until__gt=Now()) | Q(
    changed__gt=F("synced"), store__state="installed", connection__stopped_at=None
)

TABLES: dict[str, _Table] = {
    "payments.Solicitation": _Table(
        people={
            "order": {},
            "shopper": {},
            "claim": {},
            "payment_methods": [],
            "risk_level": "",
            "last_error": "",
            "refusal_detail": "",
        },
        impersonal=(
            "merchant_ref", "checkout_id", "token", "token_digest", "signature", "origin",
            "told_addresses", "fingerprint", "currency", "country", "product", "campaign",
            "refusal", "intended_state", "accepted_state", "shown_state", "checkout_token",
            "certificates",
        ),
        forgotten=_IS_ABANDONED,
        holding=_NOT_ERASED,
        dates=("created_at", "done_at", "notified_at"),
        also={"erased_at": Now(), "next_at": None, "certificates": ""},
        reference="reference",
        order="order_id",
        checkout="checkout_id",
        in_work=_IS_ASKED,
    ),
    "payments.Offer": _Table(
        people={"reasons": [], "detail": ""}, impersonal=("checkout_id", "environment"),
        forgotten=_ALL, dates=("at",), checkout="checkout_id",
    ),
    "orders.Order": _Table(
        people={
            "solicited": _without_people,
            "accepted_update": _without_people,
            "corrected": {},
            "staff_note": "",
        },
        impersonal=(
            "merchant_ref", "order_ref_1", "product", "payment_method", "currency", "beginnings",
            "lease", "refused", "left_by_status", "ledger", "seen_modified", "seen_digest",
            "reported_shipment", "refunding",
        ),
        holding=_NOT_ERASED,
        dates=("placed_at", "accepted_at", "adopted_at"),
        also={"erased_at": Now(), "lease": ""},  # a holder whose lease ended writes no more
        # A delivery report would need what is gone.
        then={"reported_shipment": F("shipment")},
        reference="reference",
        order="bigcommerce_id",
        in_work=_IS_SYNCED,
    ),
    "orders.Correction": _Table(
        people={"ours": "", "theirs": "", "heard_by": "", "decided_by": ""},
        impersonal=("path", "reached"),
        forgotten=_ALL, dates=("heard_at", "decided_at"), reference="reference",
        users=("heard_by", "decided_by"),
    ),
    "orders.WebhookEvent": _Table(
        people={"payload": {}}, impersonal=("scope", "hash"),
        forgotten=_ALL, dates=("received_at",), order="bigcommerce_order_id",
        in_work=Q(outcome__in=("new", "parked")),
    ),
    "orders.Drift": _Table(
        people={"detail": ""}, impersonal=("environment",),
        forgotten=_ALL, dates=("at",), owner="check_run__store",
        order="bigcommerce_id",
    ),
    "orders.DriftCheck": _Table(
        people={"words": ""}, forgotten=_ALL, dates=("started_at", "ended_at"),
    ),
    "orders.MerchantReport": _Table(
        people={"words": ""}, impersonal=("merchant_ref", "reason"),
        holding=~Q(words=""), dates=("sent_at", "run__started_at"), owner="run__store",
    ),
    "orders.RecentOrders": _Table(people={"rows": {}}, forgotten=_ALL, dates=("until",)),
    "transaction_log.Entry": _Table(
        people={"words": "", "note": "", "ignored_by": ""},
        impersonal=("payment_method", "environment", "event", "reason", "statement"),
        holding=_HAS_TEXT,
        dates=("at", "last_at"),
        # With its values goes what there was to decide about a correction.
        also={
            "closed_at": Case(
                When(event="correction", then=Coalesce("closed_at", Now())), default=F("closed_at")
            )
        },
        reference="reference",
        order="bigcommerce_id",
    ),
    # Of the merchant's own people; they go with the uninstallation itself.
    "stores.PanelUser": _Table(
        people={"email": ""}, impersonal=("locale",), forgotten=_ALL, dates=("seen_at",),
    ),
    "alerts.Recipient": _Table(
        people={"address": ""}, forgotten=_ALL, dates=("added_at", "reached_at"),
    ),
    "alerts.Alert": _Table(impersonal=("kind", "topic")),
    "alerts.Mail": _Table(impersonal=("kind", "alerts")),
    "alerts.Delivery": _Table(impersonal=("kind", "alerts", "failure")),
    "stores.SettingChange": _Table(
        people={"by": ""}, impersonal=("key", "before", "after"),
        holding=~Q(by=""), dates=("at",),
    ),
    # About the store and the software, not about shoppers.
    "stores.Store": _Table(impersonal=(
        "hash", "access_token", "webhook_secret", "scopes", "name", "email", "secure_url",
        "control_panel_url", "country", "currency", "timezone", "language", "channels",
        "registration", "script_file", "allowed_ips", "excluded_categories", "excluded_products",
        "excluded_subcategories", "catalogue_names", "disabled_channels", "channel_settings",
        "excluded_groups", "shipped_statuses",
        "cancelling_statuses", "status_labels", "report_token", "statistics_without", "go_live",
        "alerts_without", "alert_webhook", "alert_secrets", "widget_methods", "widget_selectors",
        "widget_theme", "widget_script_file", "services_end",
    )),
    "stores.Connection": _Table(impersonal=(
        "deployment", "environment", "username", "password", "api_url", "assets_url",
    )),
    "stores.Merchant": _Table(impersonal=(
        "country", "ref", "contract_options", "assets_key", "payment_methods",
    )),
    "stores.PanelSession": _Table(impersonal=("digest", "client")),
    "stores.SpentPayload": _Table(impersonal=("digest",)),
    # An address counts as a keyed digest: see `stores.rate_limit`.
    "stores.Allowance": _Table(impersonal=("key",)),
    "stores.WorkerFigure": _Table(impersonal=("name", "labels")),
    "stores.Canary": _Table(impersonal=("secret",)),
    "stores.Lock": _Table(impersonal=("name", "holder")),
    "stores.ScriptVersion": _Table(impersonal=("name", "body")),
    "orders.Gate": _Table(impersonal=("host",)),
    "orders.Reconciliation": _Table(),
    "orders.ReportRun": _Table(),
}  # fmt: skip


# Erasing ------------------------------------------------------------------------------------------


def erase_due(until: float) -> None:
    """Erase what is due, store by store; one that is not finished goes on in the next run."""
    stores = Store.objects.only("pk", "hash", "state", "uninstalled_at", "erase_due_at")
    in_turn("erasure", stores, "erase_due_at", partial(_erase, until=until), until)


def _hours() -> timedelta:
    return timedelta(hours=settings.ERASE_AFTER_UNINSTALL_HOURS)


def _next_turn(store: Store, now: datetime) -> datetime:
    """Return when a store in which nothing is left is searched again."""
    ended = store.uninstalled_at + _hours() if store.uninstalled_at else None
    if store.state == Store.State.UNINSTALLED and ended and now < ended + _LATE_WRITES:
        return max(now, min(ended, now + _AGAIN_AFTER))
    return now + _AGAIN_AFTER


def _border(store: Store) -> datetime | None:
    """Return the moment before which the data of this store is erased; None when all of it is."""
    ended, now = store.uninstalled_at, timezone.now()
    if store.state == Store.State.UNINSTALLED and ended and ended <= now - _hours():
        return None
    return now - timedelta(days=settings.ERASE_PURCHASES_AFTER_DAYS)


def _erase(store: Store, until: float) -> datetime:
    """Erase in small transactions; how far it came is in the rows themselves.

    Return when to continue.
    """
    until, border = min(until, time.monotonic() + _SECONDS_OF_A_STORE), _border(store)
    kept, changed = _references_needed(store), 0
    for _, done in _batches(store, border, kept):
        changed += done
        before_a_call()
        if time.monotonic() > until:
            return timezone.now()
    if changed:
        log.info("personal_data_erased", store=store.hash, count=changed)
    erased_at = None if kept else timezone.now()
    _unchanged(store).update(erased_at=erased_at)
    return _next_turn(store, erased_at) if erased_at else timezone.now()


def forget(store: Store) -> tuple[dict[str, int], int]:
    """Erase everything personal of an uninstalled store now, whatever its hours.

    Return the rows erased by table, and how many payments under way still keep their data.
    """
    kept, counts = _references_needed(store), Counter[str]()
    for label, done in _batches(store, None, kept):
        counts[label] += done
    erased_at = None if kept else timezone.now()
    _unchanged(store).update(erased_at=erased_at)
    log.info("personal_data_erased", store=store.hash, count=counts.total())
    return dict(counts), len(kept)


def _references_needed(store: Store) -> set[UUID]:
    return {one for app in store_apps() for one in app.references_needed(store)}


def _batches(
    store: Store, border: datetime | None, kept: Collection[UUID]
) -> Iterator[tuple[str, int]]:
    """Erase batch by batch; yield the table and the number of rows after each."""
    for label, table in TABLES.items():
        for work in (_forget, _blank):
            while done := _batch(store, partial(work, _rows(store, label, border, kept), table)):
                yield label, done


def erase_rows(label: str, keys: Collection[int], kept: Collection[UUID]) -> int:
    """Erase these rows of a table, except those in work and those of payments to keep."""
    table = TABLES[label]
    rows = QuerySet[Model](apps.get_model(label)).filter(pk__in=keys)
    if table.in_work is not None:
        rows = rows.exclude(table.in_work)
    if table.reference and kept:
        rows = rows.exclude(**{f"{table.reference}__in": kept})
    count = 0
    for work in (_forget, _blank):
        while done := work(rows, table):
            count += done
    return count


def _unchanged(store: Store) -> QuerySet[Store]:
    """Return the store, unless it was installed or uninstalled since it was read."""
    return Store.objects.filter(pk=store.pk, state=store.state, uninstalled_at=store.uninstalled_at)


@transaction.atomic
def _batch(store: Store, work: Callable[[], int]) -> int:
    """Erase some rows, and keep an installation out while doing so."""
    if not _unchanged(store).select_for_update(no_key=True).values_list("pk"):
        return 0
    return work()


def _rows(
    store: Store, label: str, border: datetime | None, kept: Collection[UUID]
) -> QuerySet[Model]:
    table, rows = TABLES[label], QuerySet[Model](apps.get_model(label))
    if not table.people:
        return rows.none()
    rows = rows.filter(**{table.owner: store.pk})
    if table.reference and kept:
        rows = rows.exclude(**{f"{table.reference}__in": kept})
    if border:
        first, *others = table.dates
        rows = rows.filter(**{f"{first}__lt": border})
        for date in others:
            rows = rows.filter(Q(**{date: None}) | Q(**{f"{date}__lt": border}))
    return rows


def _locked(rows: QuerySet[Model], *columns: str) -> list[Model]:
    """Return some of these rows: those that are still so once they are locked."""
    chosen = rows.only("pk", *columns).order_by("pk")
    return list(chosen.select_for_update(of=("self",))[:_BATCH])


def _forget(rows: QuerySet[Model], table: _Table) -> int:
    if table.forgotten is None:
        return 0
    keys = [row.pk for row in _locked(rows.filter(table.forgotten))]
    QuerySet[Model](rows.model).filter(pk__in=keys).delete()
    return len(keys)


def _blank(rows: QuerySet[Model], table: _Table) -> int:
    if table.holding is None:
        return 0
    computed = [name for name, value in table.people.items() if callable(value)]
    constant = {name: value for name, value in table.people.items() if not callable(value)}
    batch = _locked(rows.filter(table.holding), *computed)
    for row in batch:
        for name in computed:
            setattr(row, name, table.people[name](getattr(row, name)))
    chosen = QuerySet[Model](rows.model).filter(pk__in=[row.pk for row in batch])
    if computed and batch:
        chosen.bulk_update(batch, computed)
    chosen.update(**constant, **table.also)
    if table.then:
        chosen.update(**table.then)
    return len(batch)
