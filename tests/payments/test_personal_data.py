"""Personal data is erased when its time is over, what accounting needs stays, nothing breaks."""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.sites import site
from django.contrib.auth.models import User
from django.core import serializers
from django.db import connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings
from time_machine import travel

from alerts.models import Recipient
from orders.models import (
    Correction,
    Drift,
    DriftCheck,
    MerchantReport,
    Order,
    RecentOrders,
    ReportRun,
    WebhookEvent,
)
from payments import retention
from payments.confirm import _next_step, confirm
from payments.models import Offer, Solicitation
from stores.install import uninstall
from stores.models import AT_ONCE, Allowance, Merchant, PanelUser, SettingChange, Store
from stores.privacy import personal_data
from stores.privacy.personal_data import TABLES, erase_due
from tests.payments.conftest import MakeSolicitation
from tests.payments.web import Web
from transaction_log.models import Entry

CANARY = "fulana@example.com"
FAR = 3600.0
CART = {
    "currency": "EUR",
    "order_total_with_tax": 11089,
    "items": [
        {
            "type": "product",
            "reference": "MUG",
            "name": f"Mug (Engraving: {CANARY})",
            "quantity": 1,
            "total_with_tax": 11089,
        }
    ],
}
STATEMENT = {
    "merchant": {"id": "demo_es"},
    "merchant_reference": {"order_ref_1": "250"},
    "customer": {"email": CANARY},
    "delivery_address": {"city": CANARY},
    "trackings": [{"tracking_url": f"https://parcels.example/{CANARY}"}],
    "unshipped_cart": CART,
    "shipped_cart": CART,
}
# What a JSON column holds in the tests, where its shape matters.
SHAPES: dict[str, Any] = {"solicited": {**STATEMENT, "cart": CART}, "accepted_update": STATEMENT}


def our_models() -> Iterator[type[models.Model]]:
    ours = ("alerts", "stores", "orders", "payments", "transaction_log")
    yield from (one for one in apps.get_models() if one._meta.app_label in ours)


def text_columns(model: type[models.Model]) -> set[str]:
    """Columns that hold whatever was written there: no keys, dates, figures or choices."""
    kinds = (models.CharField, models.TextField, models.JSONField, models.BinaryField)
    fields = (one for one in model._meta.concrete_fields if isinstance(one, kinds))
    return {one.name for one in fields if not one.choices and not one.generated}


def holding(text: str) -> set[str]:
    """Every model.column in which this text stands."""
    found = set()
    for model in apps.get_models():
        for row in json.loads(serializers.serialize("json", model._default_manager.all())):
            for name, value in row["fields"].items():
                if text in json.dumps(value, ensure_ascii=False):
                    found.add(f"{model._meta.label}.{name}")
    return found


def canary_for(field: Any) -> Any:
    if isinstance(field, models.JSONField):
        return SHAPES.get(field.name, {"somebody": CANARY})
    return CANARY[: field.max_length]


def plant(merchant: Merchant, make: MakeSolicitation, at: datetime) -> Order:
    """One row of every model with personal data, a canary in each such column."""
    store, reference = merchant.store, uuid.uuid4()
    make(
        reference=reference, phase="done", state="approved", accepted_state="confirmed",
        shown_state="confirmed", order_id=250, created_at=at, done_at=at, notified_at=at,
    )  # fmt: skip
    order = Order.objects.create(
        store=store, connection=merchant.connection, merchant_ref=merchant.ref, bigcommerce_id=250,
        reference=reference, order_ref_1="250", status="approved", amount=11089, placed_at=at,
        accepted_at=at, changed=1, synced=1,
    )  # fmt: skip
    Offer.objects.create(store=store, checkout_id="c", at=at)
    about = {"store": store, "reference": reference}
    Correction.objects.create(path="customer.email", source="event", heard_at=at, **about)
    WebhookEvent.objects.create(store=store, scope="s", hash="h", payload={}, received_at=at)
    check = DriftCheck.objects.create(store=store, state="done", started_at=at, ended_at=at)
    Drift.objects.create(check_run=check, bigcommerce_id=250, kind="missed", at=at)
    run = ReportRun.objects.create(store=store, state="done", started_at=at)
    MerchantReport.objects.create(
        run=run, connection=merchant.connection, merchant_ref="demo_es", sent_at=at
    )
    RecentOrders.objects.create(store=store, until=at)
    PanelUser.objects.create(store=store, bigcommerce_id=9, seen_at=at)
    Recipient.objects.create(store=store, address="x", added_at=at, confirmed_at=at)
    SettingChange.objects.create(store=store, source="page", key="reports.hour", at=at)
    for event in ("purchase", "correction"):
        Entry.objects.create(
            bigcommerce_id=250,
            event=event,
            reason=event,
            outcome="rejected",
            at=at,
            last_at=at,
            **about,
        )
    for label, table in TABLES.items():
        model = apps.get_model(label)
        planted = {name: canary_for(model._meta.get_field(name)) for name in table.people}
        assert not planted or model._default_manager.update(**planted), label
    return order


def everything() -> set[str]:
    return {f"{label}.{name}" for label, table in TABLES.items() for name in table.people}


def erase(after: timedelta = timedelta()) -> None:
    with travel(timezone.now() + after, tick=False):
        erase_due(time.monotonic() + FAR)


def test_every_text_column_is_listed_as_personal_or_impersonal() -> None:
    listed = {label: {*table.people, *table.impersonal} for label, table in TABLES.items()}
    assert listed == {model._meta.label: text_columns(model) for model in our_models()}
    assert not [one for one in TABLES.values() if {*one.people} & {*one.impersonal}]


def test_everything_goes_after_an_uninstallation_and_not_before(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    plant(merchant, make_solicitation, timezone.now())
    assert holding(CANARY) == everything()
    uninstall(merchant.store)
    erase(timedelta(hours=47))
    assert holding(CANARY) == everything() - {"stores.PanelUser.email", "alerts.Recipient.address"}
    erase(timedelta(hours=49))
    assert holding(CANARY) == set()


def test_accounting_keeps_references_amounts_states_and_dates(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    order = plant(merchant, make_solicitation, timezone.now())
    gone = {*TABLES["orders.Order"].people, "erased_at", "reported_shipment", "shipment"}
    names = [one.name for one in Order._meta.concrete_fields if one.name not in gone]
    before = Order.objects.values(*names).get(pk=order.pk)
    uninstall(merchant.store)
    erase(timedelta(hours=49))
    order.refresh_from_db()
    assert Order.objects.values(*names).get(pk=order.pk) == before
    bare = {"type": "product", "reference": "MUG", "quantity": 1, "total_with_tax": 11089}
    cart = {"currency": "EUR", "order_total_with_tax": 11089, "items": [bare]}
    assert order.accepted_update == {
        "merchant": {"id": "demo_es"},
        "merchant_reference": {"order_ref_1": "250"},
        "unshipped_cart": cart,
        "shipped_cart": cart,
    }
    assert order.shipment
    assert order.shipment == order.reported_shipment  # no delivery report without people
    paid = Solicitation.objects.get(reference=order.reference)
    assert (paid.amount, paid.order_id, paid.state) == (11089, 250, "approved")
    assert Entry.objects.get(closed_at=None).event == "purchase"  # a correction is over


def test_with_zero_hours_the_next_run_erases(
    merchant: Merchant, make_solicitation: MakeSolicitation, settings: Settings
) -> None:
    settings.ERASE_AFTER_UNINSTALL_HOURS = 0
    plant(merchant, make_solicitation, timezone.now())
    make_solicitation(order={"customer": CANARY})  # an open form: nobody can finish it
    uninstall(merchant.store)
    erase()
    assert holding(CANARY) == set()
    assert Solicitation.objects.filter(phase="solicited").count() == 0


def test_what_arrives_late_is_erased_too(
    merchant: Merchant, make_solicitation: MakeSolicitation, settings: Settings
) -> None:
    settings.ERASE_AFTER_UNINSTALL_HOURS = 0
    uninstall(merchant.store)
    erase()
    make_solicitation(order={"customer": CANARY}, phase="done", state="approved")
    erase(timedelta(minutes=2))
    assert holding(CANARY) == set()
    Offer.objects.create(store=merchant.store, checkout_id="c", detail=CANARY)
    erase(timedelta(days=2))
    assert holding(CANARY) == set()


def test_installing_again_keeps_the_data(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    plant(merchant, make_solicitation, timezone.now())
    uninstall(merchant.store)
    erase(timedelta(hours=1))
    Store.objects.update(state="installed", uninstalled_at=None)
    erase(timedelta(days=30))
    assert holding(CANARY) == everything() - {"stores.PanelUser.email", "alerts.Recipient.address"}


def test_an_installation_during_the_erasure_ends_it(
    merchant: Merchant, make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal_data, "_BATCH", 1)
    for _ in range(3):
        make_solicitation(order={"customer": CANARY}, phase="done", state="approved")
    uninstall(merchant.store)

    def install_again() -> None:
        Store.objects.update(state="installed", uninstalled_at=None)

    monkeypatch.setattr(personal_data, "before_a_call", install_again)
    erase(timedelta(hours=49))
    assert Solicitation.objects.filter(erased_at=None).count() == 2
    assert Store.objects.get(pk=merchant.store_id).erased_at is None


def test_a_payment_under_way_keeps_its_data_until_its_time_is_over(
    merchant: Merchant, make_solicitation: MakeSolicitation, settings: Settings
) -> None:
    settings.ERASE_AFTER_UNINSTALL_HOURS = 0
    plant(merchant, make_solicitation, timezone.now())
    waiting = make_solicitation(
        order={"customer": CANARY}, phase="confirming", state="approved",
        confirm_intent_at=timezone.now(), last_error=CANARY,
    )  # fmt: skip
    uninstall(merchant.store)
    erase()
    assert holding(CANARY) == {"payments.Solicitation.order", "payments.Solicitation.last_error"}
    assert Solicitation.objects.filter(erased_at=None).get() == waiting
    erase(timedelta(hours=23))
    assert holding(CANARY)
    erase(timedelta(hours=25))
    assert holding(CANARY) == set()
    with travel(timezone.now() + timedelta(hours=25), tick=False):
        retention.erase_passwords()
    assert holding(CANARY) == set()  # what is reported quotes nobody


def test_an_ended_payment_keeps_nothing(
    merchant: Merchant, make_solicitation: MakeSolicitation, settings: Settings
) -> None:
    settings.ERASE_AFTER_UNINSTALL_HOURS = 0
    attempt = make_solicitation(
        order={"customer": CANARY}, phase="confirming", state="approved",
        confirm_intent_at=timezone.now(),
    )  # fmt: skip
    uninstall(merchant.store)
    attempt.note(phase="refused", undone_at=timezone.now())
    erase()
    assert holding(CANARY) == set()


def test_purchases_of_years_ago_are_erased_and_newer_ones_stay(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    plant(merchant, make_solicitation, timezone.now())
    erase(timedelta(days=1800))
    assert holding(CANARY) == everything()
    Order.objects.update(accepted_at=timezone.now() + timedelta(days=100))
    erase(timedelta(days=1830))
    assert holding(CANARY) == {f"orders.Order.{name}" for name in TABLES["orders.Order"].people}
    erase(timedelta(days=1930))
    assert holding(CANARY) == set()


def test_other_stores_keep_their_data(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    other = Store.objects.create(hash="other9", access_token="token")
    Offer.objects.create(store=other, checkout_id="c", detail=CANARY)
    uninstall(merchant.store)
    erase(timedelta(hours=49))
    assert holding(CANARY) == {"payments.Offer.detail"}


def test_one_store_that_fails_stops_no_other(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store.objects.create(hash="other9", access_token="token")
    Offer.objects.create(store=other, checkout_id="c", detail=CANARY)
    uninstall(merchant.store)
    uninstall(other)

    def broken(store: Store) -> list[uuid.UUID]:
        if store.pk == merchant.store_id:
            raise ValueError("broken")
        return []

    monkeypatch.setattr(apps.get_app_config("payments"), "references_needed", broken)
    erase(timedelta(hours=49))
    assert holding(CANARY) == set()
    erased = Store.objects.exclude(erased_at=None).values_list("hash", flat=True)
    assert list(erased) == ["other9"]


def test_a_run_that_ends_early_is_continued(
    merchant: Merchant, make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal_data, "_BATCH", 2)
    monkeypatch.setattr(personal_data, "_SECONDS_OF_A_STORE", -1.0)
    for _ in range(5):
        make_solicitation(order={"customer": CANARY}, phase="done", state="approved")
    uninstall(merchant.store)
    left = []
    for _ in range(4):
        erase(timedelta(hours=49))
        left.append(Solicitation.objects.filter(erased_at=None).count())
    assert left == [3, 1, 0, 0]
    assert Store.objects.exclude(erased_at=None).count() == 1


def test_a_store_without_anything_to_erase_costs_no_more_the_more_it_has(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    def statements() -> int:
        Store.objects.update(erased_at=None, erase_due_at=AT_ONCE)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            erase()
        return len(queries)

    few = statements()
    for _ in range(20):
        make_solicitation(phase="done", state="approved")
    assert statements() == few
    with CaptureQueriesContext(connection) as queries:
        erase(timedelta(hours=1))
    assert len(queries) == 1  # searched today already


def _drop_other_indexes(table: str, index: str) -> None:
    """Leave the planner of this transaction no other index of an empty table to prefer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, conname FROM pg_index LEFT JOIN pg_constraint"
            " ON conindid = indexrelid AND contype = 'u' WHERE indrelid = %s::regclass"
            " AND NOT indisprimary AND indexrelid <> %s::regclass",
            [table, index],
        )
        for other, constraint in cursor.fetchall():
            what = f"CONSTRAINT {constraint}" if constraint else ""
            cursor.execute(f"ALTER TABLE {table} DROP {what}" if what else f"DROP INDEX {other}")


@pytest.mark.parametrize(
    ("label", "index"),
    [
        ("orders.Order", "order_with_people"),
        ("payments.Solicitation", "solicitation_with_people"),
        ("transaction_log.Entry", "entry_with_text"),
    ],
)
@pytest.mark.parametrize("kept", [[], [uuid.uuid4()]])
def test_what_is_left_is_found_by_an_index(
    merchant: Merchant, label: str, index: str, kept: list[uuid.UUID]
) -> None:
    """The condition of the partial index follows from what is searched, else it is not used."""
    holding_people = TABLES[label].holding
    assert holding_people is not None
    searched = personal_data._rows(merchant.store, label, timezone.now(), kept)
    with transaction.atomic(), connection.cursor() as cursor:
        table = connection.ops.quote_name(searched.model._meta.db_table)
        _drop_other_indexes(table, index)
        cursor.execute(f"ANALYZE {table}; SET LOCAL enable_seqscan = off")
        plan = searched.filter(holding_people).explain()
        transaction.set_rollback(True)  # other tests need the indexes and what they forbid
    assert index in plan


def test_operators_see_no_shopper(
    merchant: Merchant, make_solicitation: MakeSolicitation, client: Client
) -> None:
    plant(merchant, make_solicitation, timezone.now())
    client.force_login(User.objects.create_superuser("ops"))
    shown = set()
    for model in our_models():
        if not site.is_registered(model):
            continue
        [label, name], row = model._meta.label_lower.split("."), model._default_manager.first()
        for page in ("", f"{row.pk}/change/" if row else ""):
            answer = client.get(f"/admin/{label}/{name}/{page}")
            assert answer.status_code == 200
            if CANARY in answer.content.decode():
                shown.add(model._meta.label)
    # Who of the merchant's people uses the app is what that page is for.
    assert shown == {"stores.PanelUser"}


def test_an_erased_payment_is_never_sent_again(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    attempt = make_solicitation(
        phase="confirmed", state="approved", accepted_state="confirmed",
        confirm_intent_at=timezone.now(),
    )  # fmt: skip
    uninstall(merchant.store)
    erase(timedelta(hours=49))
    Store.objects.update(state="installed", uninstalled_at=None)
    attempt = Solicitation.objects.select_related("store", "connection").get(pk=attempt.pk)
    assert (_next_step(attempt), attempt.next_at) == (None, None)
    confirm(attempt.pk)
    attempt.refresh_from_db()
    assert (attempt.phase, attempt.attempts) == ("confirmed", 0)


def test_limits_store_no_address(web: Web) -> None:
    web.post("payment-methods", checkout_id=str(uuid.uuid4()))
    keys = list(Allowance.objects.values_list("key", flat=True))
    assert [key for key in keys if key.startswith("ip ")]
    assert not [key for key in keys if "127.0.0.1" in key]
