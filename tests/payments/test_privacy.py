"""Requests of people: export, erasure with a proof, a store that is forgotten, the data map."""

import json
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from local.servers import ROOT
from orders.drift.reconcile import watch_due
from orders.models import Correction, Order, Reconciliation, WebhookEvent
from orders.sync.results import finish
from orders.sync.sync import Kind, Result
from payloads.order.order_update import OrderUpdate
from payments.models import Offer, Solicitation
from stores.encryption import EncryptedTextField
from stores.install import uninstall
from stores.models import Connection, Merchant, PanelUser, Store
from stores.privacy import people
from stores.privacy.data_map import data_map
from stores.privacy.personal_data import TABLES
from tests.payments.conftest import MakeSolicitation
from tests.payments.test_personal_data import CANARY, everything, holding, plant
from transaction_log.models import Entry

STATEMENT = {"customer": {"email": CANARY, "given_names": "Fulana"}}


def run(*arguments: Any) -> Any:
    out = StringIO()
    call_command("privacy", *map(str, arguments), stdout=out)
    return json.loads(out.getvalue())


def buy(
    merchant: Merchant, make: MakeSolicitation, number: int, email: str = CANARY, **fields: Any
) -> Order:
    """A finished purchase with its traces."""
    statement, reference = {"customer": {"email": email}}, uuid.uuid4()
    paid = {"phase": "done", "state": "approved", "accepted_state": "confirmed", **fields}
    checkout = f"checkout-{number}"
    make(reference=reference, order=statement, order_id=number, checkout_id=checkout, **paid)
    Offer.objects.create(store=merchant.store, checkout_id=checkout, detail="about this checkout")
    Entry.objects.create(
        store=merchant.store, bigcommerce_id=number, reference=reference, event="purchase",
        outcome="rejected", words="the shopper of Calle Mayor 1",
    )  # fmt: skip
    return Order.objects.create(
        store=merchant.store, connection=merchant.connection, merchant_ref=merchant.ref,
        bigcommerce_id=number, reference=reference, order_ref_1=str(number), amount=100,
        status="approved", solicited=statement, accepted_update=statement,
    )  # fmt: skip


def test_an_export_holds_all_of_one_person_and_of_no_other(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    buy(merchant, make_solicitation, 250)
    buy(merchant, make_solicitation, 251, email="x" + CANARY)
    buy(merchant, make_solicitation, 252, email=CANARY + ".mx")
    other = Store.objects.create(hash="other9")
    Offer.objects.create(store=other, checkout_id="c", detail=CANARY)

    told = run("export", merchant.store.hash, "--email", CANARY.upper())

    one_each = dict.fromkeys(
        ["payments.Solicitation", "payments.Offer", "orders.Order", "transaction_log.Entry"], 1
    )
    assert told["counts"] == one_each
    assert told["tables"]["orders.Order"][0]["solicited"]["customer"]["email"] == CANARY
    assert told["tables"]["transaction_log.Entry"][0]["words"] == "the shopper of Calle Mayor 1"
    assert told["tables"]["payments.Offer"][0]["checkout_id"] == "checkout-250"
    assert not re.search(f"x{CANARY}|{CANARY}.mx", json.dumps(told["tables"]))
    assert run("export", merchant.store.hash, "--order", 250)["tables"] == told["tables"]


def test_an_erasure_proves_what_is_gone_and_touches_no_other(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    buy(merchant, make_solicitation, 250)
    other = buy(merchant, make_solicitation, 251, email="x" + CANARY)

    proof = run("erase", merchant.store.hash, "--email", CANARY)

    expected = dict.fromkeys(
        ["payments.Solicitation", "payments.Offer", "orders.Order", "transaction_log.Entry"], 1
    )
    assert (proof["found"], proof["erased"], proof["left"]) == (expected, expected, {})
    again = run("erase", merchant.store.hash, "--email", CANARY)
    assert (again["found"], again["erased"], again["left"]) == ({}, {}, {})
    assert Order.objects.get(bigcommerce_id=250).amount == 100
    assert Order.objects.get(bigcommerce_id=250).solicited == {}
    assert Order.objects.get(pk=other.pk).solicited["customer"]["email"] == "x" + CANARY
    assert Offer.objects.get().checkout_id == "checkout-251"


def test_everything_that_names_a_person_is_found_and_erased(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    plant(merchant, make_solicitation, timezone.now() - timedelta(days=1))
    WebhookEvent.objects.update(outcome="folded")
    assert holding(CANARY) == everything()
    proof = run("erase", merchant.store.hash, "--email", CANARY)
    assert (proof["erased"], proof["left"]) == (proof["found"], {})
    assert holding(CANARY) == set()


def test_a_note_that_mentions_a_person_does_not_erase_another_ones_purchase(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    order = buy(merchant, make_solicitation, 250, email="bob@example.com")
    Entry.objects.update(note=f"asked by {CANARY}")
    assert run("erase", merchant.store.hash, "--email", CANARY)["found"] == {
        "transaction_log.Entry": 1
    }
    assert Order.objects.get(pk=order.pk).erased_at is None


@pytest.mark.parametrize(
    "under_way",
    [
        {"phase": "solicited", "state": ""},
        {"phase": "solicited", "state": "approved"},
        {"phase": "confirming", "state": "approved", "confirm_intent_at": timezone.now()},
        {"phase": "done", "state": "needs_review", "accepted_state": "on_hold"},
        {"phase": "refused", "state": "approved", "confirm_intent_at": timezone.now()},
    ],
)
def test_a_payment_under_way_keeps_its_data_and_the_command_says_so(
    merchant: Merchant, make_solicitation: MakeSolicitation, under_way: dict[str, Any]
) -> None:
    attempt = make_solicitation(order=STATEMENT, **under_way)
    out = StringIO()
    with pytest.raises(CommandError, match="repeat this later"):
        call_command("privacy", "erase", merchant.store.hash, "--email", CANARY, stdout=out)
    proof = json.loads(out.getvalue())
    assert (proof["erased"], proof["left"]) == (
        {"payments.Solicitation": 0}, {"payments.Solicitation": 1},
    )  # fmt: skip
    attempt.refresh_from_db()
    assert (attempt.order, attempt.erased_at) == (STATEMENT, None)


def test_an_event_that_is_not_folded_stays_until_it_is(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    order = buy(merchant, make_solicitation, 250)
    WebhookEvent.objects.create(
        store=merchant.store, scope="s", hash="h", bigcommerce_order_id=250, payload={}
    )
    with pytest.raises(CommandError):
        run("erase", merchant.store.hash, "--order", 250)
    assert Order.objects.get(pk=order.pk).erased_at
    WebhookEvent.objects.update(outcome="folded")
    assert run("erase", merchant.store.hash, "--order", 250)["left"] == {}


UNDER_WAY: list[dict[str, Any]] = [
    {"lease": "a worker's", "leased_until": timezone.now() + timedelta(hours=1)},
    {"changed": 1},
]


@pytest.mark.parametrize("under_way", UNDER_WAY, ids=["leased", "due"])
def test_an_order_that_a_worker_reads_stays_until_its_update_is_accepted(
    merchant: Merchant, make_solicitation: MakeSolicitation, under_way: dict[str, Any]
) -> None:
    """The worker would store the person again, after the proof."""
    order = buy(merchant, make_solicitation, 250)
    Order.objects.update(**under_way)
    out = StringIO()
    with pytest.raises(CommandError, match="repeat this later"):
        call_command("privacy", "erase", merchant.store.hash, "--email", CANARY, stdout=out)
    proof = json.loads(out.getvalue())
    assert (proof["erased"]["orders.Order"], proof["left"]) == (0, {"orders.Order": 1})
    order.refresh_from_db()
    assert (order.solicited["customer"]["email"], order.erased_at) == (CANARY, None)

    Order.objects.update(lease="", leased_until=None, synced=F("changed"))
    again = run("erase", merchant.store.hash, "--email", CANARY)
    assert (again["erased"]["orders.Order"], again["left"]) == (1, {})


@pytest.mark.parametrize("stopped", ["store", "account"])
def test_an_order_that_no_worker_will_read_is_erased(
    merchant: Merchant, make_solicitation: MakeSolicitation, stopped: str
) -> None:
    buy(merchant, make_solicitation, 250)
    Order.objects.update(changed=1)
    if stopped == "store":
        uninstall(merchant.store)
    else:
        Connection.objects.update(stopped_at=timezone.now())
    assert run("erase", merchant.store.hash, "--order", 250)["left"] == {}


def test_a_worker_whose_lease_ended_stores_an_erased_person_no_more(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    """A frozen machine goes on after its lease, and after the proof."""
    order = buy(merchant, make_solicitation, 250)
    past = timezone.now() - timedelta(hours=1)
    Order.objects.update(lease="frozen", leased_until=past)
    assert run("erase", merchant.store.hash, "--email", CANARY)["left"] == {}
    update: OrderUpdate = {"unshipped_cart": {"items": []}, "shipped_cart": {"items": []}}
    finish(order, Result(kind=Kind.SENT, update={**STATEMENT, **update}), "frozen")
    order.refresh_from_db()
    assert (holding(CANARY), order.unsure) == (set(), True)


def test_an_attempt_that_sequra_is_asked_about_stays(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    """Its row comes before the call, and the reference after it."""
    attempt = make_solicitation(order=STATEMENT, phase="solicited", state="", reference=None)
    with pytest.raises(CommandError, match="repeat this later"):
        run("erase", merchant.store.hash, "--email", CANARY)
    Solicitation.objects.update(created_at=timezone.now() - timedelta(minutes=6))
    assert run("erase", merchant.store.hash, "--email", CANARY)["left"] == {}
    assert not Solicitation.objects.filter(pk=attempt.pk).exists()


def test_an_address_known_from_a_correction_alone_leads_to_the_whole_purchase(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    order = buy(merchant, make_solicitation, 250, email="old@example.com")
    Correction.objects.create(
        store=merchant.store, reference=order.reference, path="customer.email", theirs=CANARY
    )
    WebhookEvent.objects.create(
        store=merchant.store, scope="s", hash="h", bigcommerce_order_id=250, payload={},
        outcome="folded",
    )  # fmt: skip
    proof = run("erase", merchant.store.hash, "--email", CANARY)
    assert proof["erased"] == dict.fromkeys(
        ["payments.Solicitation", "payments.Offer", "orders.Order", "orders.Correction",
         "orders.WebhookEvent", "transaction_log.Entry"], 1,
    )  # fmt: skip
    assert holding("old@example.com") == set()


def test_a_user_who_decided_a_correction_leads_to_no_purchase(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    order = buy(merchant, make_solicitation, 250)
    Correction.objects.create(
        store=merchant.store, reference=order.reference, path="p", decided_by="owner@example.com"
    )
    proof = run("erase", merchant.store.hash, "--email", "owner@example.com")
    assert proof["erased"] == {"orders.Correction": 1}
    assert Order.objects.get(pk=order.pk).erased_at is None


def on_request(store: Store) -> None:
    people.erase(people.Person(store=store, order=250))


def in_time(store: Store) -> None:
    Reconciliation.objects.create(store=store, webhooks_at=timezone.now())  # nothing to repair
    watch_due()


@pytest.mark.parametrize("delete", [on_request, in_time])
def test_an_event_that_is_delivered_again_meanwhile_is_not_deleted(
    merchant: Merchant, make_solicitation: MakeSolicitation, delete: Callable[[Store], None]
) -> None:
    """It was folded when it was chosen, and is new once its row is free."""
    buy(merchant, make_solicitation, 250)
    event = WebhookEvent.objects.create(
        store=merchant.store, scope="s", hash="h", bigcommerce_order_id=250, payload={},
        outcome="folded", received_at=timezone.now() - timedelta(days=99),
    )  # fmt: skip

    def deleting() -> None:
        try:
            delete(merchant.store)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            WebhookEvent.objects.filter(pk=event.pk).update(outcome="new", received_at=Now())
            begun = pool.submit(deleting)
            while not (begun.done() or is_waited_for()):
                time.sleep(0.01)
        begun.result()
    assert WebhookEvent.objects.get().outcome == "new"


def is_waited_for() -> bool:
    """Return whether another connection waits for a lock of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_clear_snapshot();"
            "SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.rowcount)


def test_a_user_of_the_merchant_is_a_person_too(merchant: Merchant) -> None:
    PanelUser.objects.create(store=merchant.store, bigcommerce_id=9, email="Owner@Example.com")
    Correction.objects.create(
        store=merchant.store, reference=uuid.uuid4(), path="p", decided_by="owner@example.com"
    )
    proof = run("erase", merchant.store.hash, "--email", "owner@example.com")
    assert proof["erased"] == {"orders.Correction": 1, "stores.PanelUser": 1}


def test_what_is_no_address_is_refused(merchant: Merchant) -> None:
    with pytest.raises(CommandError, match="no e-mail address"):
        run("erase", merchant.store.hash, "--email", "  ")


# --- A store that is forgotten --------------------------------------------------------------------


def forget(*arguments: str) -> str:
    out = StringIO()
    call_command("forget_store", *arguments, stdout=out)
    return out.getvalue()


def test_an_uninstalled_store_is_forgotten_at_once(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    plant(merchant, make_solicitation, timezone.now())
    uninstall(merchant.store)
    told = forget("abc123").splitlines()
    assert holding(CANARY) == set()
    assert "orders.Order: 1" in told
    assert told[-1] == "nothing personal of store abc123 is left"
    assert Store.objects.get().erased_at
    assert forget("abc123").splitlines() == told[-1:]


def test_an_installed_store_is_forgotten_only_when_that_is_meant(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    plant(merchant, make_solicitation, timezone.now())
    with pytest.raises(CommandError, match="--yes-really"):
        forget("abc123")
    assert holding(CANARY) == everything()
    assert Store.objects.get().state == Store.State.INSTALLED
    forget("abc123", "--yes-really")
    assert holding(CANARY) == set()
    assert Store.objects.get().state == Store.State.UNINSTALLED


def test_a_payment_under_way_outlives_the_order_to_forget(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    attempt = make_solicitation(
        order=STATEMENT, phase="confirming", state="approved", confirm_intent_at=timezone.now()
    )
    with pytest.raises(CommandError, match="1 payments are being ended"):
        forget("abc123", "--yes-really")
    attempt.refresh_from_db()
    assert attempt.order == STATEMENT
    assert Connection.objects.get().password == "demo-secret"
    assert Store.objects.get().erased_at is None


# --- Secrets --------------------------------------------------------------------------------------


def secrets() -> dict[str, set[str]]:
    """Every secret in the database, decrypted, by column."""
    return {
        f"{model._meta.label}.{field.name}": {
            str(getattr(row, field.name)) for row in model._default_manager.all()
        }
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    }


def test_an_uninstallation_destroys_every_secret_of_the_store_at_once(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    make_solicitation(phase="done", state="approved", checkout_token="opens-the-page")
    before = secrets()
    uninstall(merchant.store)
    after = secrets()
    stays = "stays; it opens nothing once the purchase is erased"
    kept = {one.field for one in data_map() if one.expiry in (stays, "stays")}
    assert {name for name in before if before[name] & after[name] - {""}} <= kept
    assert kept < set(before)


# --- The data map ---------------------------------------------------------------------------------

# Columns of Django's own tables that hold no person.
_OF_DJANGO = {
    "auth.Permission.name", "auth.Permission.codename", "auth.Group.name",
    "contenttypes.ContentType.app_label", "contenttypes.ContentType.model",
    "sessions.Session.session_key", "admin.LogEntry.object_id",
}  # fmt: skip
KINDS = (models.CharField, models.TextField, models.JSONField, models.BinaryField)


def test_the_data_map_holds_every_column_that_may_hold_a_person_or_a_secret() -> None:
    impersonal = {f"{label}.{name}" for label, one in TABLES.items() for name in one.impersonal}
    mapped = {one.field for one in data_map()}
    columns = {
        f"{model._meta.label}.{field.name}": field
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, KINDS) and not field.choices and not field.generated
    }
    assert columns.keys() - impersonal - _OF_DJANGO <= mapped
    assert {name for name, one in columns.items() if isinstance(one, EncryptedTextField)} <= mapped
    assert mapped <= columns.keys()
    assert everything() <= mapped


def test_the_map_in_the_documents_is_the_one_in_the_code() -> None:
    lines = (ROOT / "docs/privacy.md").read_text().splitlines()
    rows = [line for line in lines if re.match(r"\| `\w+\.\w+\.\w+` \|", line)]
    assert rows == [f"| `{one.field}` | {one.purpose} | {one.expiry} |" for one in data_map()]


def test_the_command_writes_the_map_with_places() -> None:
    rows = run("map")
    assert [row["field"] for row in rows] == [one.field for one in data_map()]
    assert rows[0]["place"] == "payments_solicitation.order"
    assert all(row["purpose"] and row["expiry"] for row in rows)


def test_a_request_does_not_wait_for_the_hours_after_an_uninstallation(
    merchant: Merchant, make_solicitation: MakeSolicitation
) -> None:
    buy(merchant, make_solicitation, 250)
    uninstall(merchant.store)
    assert run("erase", "abc123", "--order", 250)["left"] == {}
    assert Solicitation.objects.filter(erased_at=None).count() == 0
