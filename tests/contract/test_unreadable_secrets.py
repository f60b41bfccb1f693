"""A store of which no key decrypts a secret: every address answers, and none with a 500."""

import uuid
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.utils import timezone

from orders.models import Order
from panel.session import _csrf_token, open_session
from payments.confirm import _confirm_if_free
from payments.models import Solicitation
from sequra_bc.celery import PERIODIC, WAKE_UPS, app
from stores.encryption import EncryptedTextField, ModelWithSecrets, Undecryptable
from stores.models import Connection, Merchant, PanelUser, Store
from tests.contract.test_urls import LISTED, PANEL, PUBLIC, filled
from tests.payments.conftest import MakeSolicitation, make_solicitation, merchant, store
from tests.stores.conftest import Sign, sign

__all__ = ["make_solicitation", "merchant", "sign", "store"]
ROUTE_OF = {name: route for route, name in LISTED}


def lose_every_key(*kept: str) -> None:
    """Encrypt each secret with a key that nobody has."""
    token = Fernet(Fernet.generate_key()).encrypt(b"lost").decode()
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, EncryptedTextField) and field.name not in kept:
                    table, column = quote(model._meta.db_table), quote(str(field.column))
                    cursor.execute(f"UPDATE {table} SET {column} = %s", [token])  # noqa: S608 (ours)


@pytest.fixture
def attempt(merchant: Merchant, make_solicitation: MakeSolicitation) -> Solicitation:
    """A payment under way, another one with its order, and a correction that waits."""
    Order.objects.create(
        store=merchant.store, connection=merchant.connection, merchant_ref=merchant.ref,
        bigcommerce_id=1, reference=uuid.uuid4(), order_ref_1="1", amount=100, status="approved",
        solicited={}, changed=1, synced=1,
    )  # fmt: skip
    return make_solicitation()


def path_of(name: str, attempt: Solicitation, tokens: dict[str, str]) -> tuple[str, str]:
    """Return an address with this store's tokens, and a session."""
    user, _ = PanelUser.objects.get_or_create(store=attempt.store, bigcommerce_id=1)
    session, route = open_session(user), ROUTE_OF[name]
    for place, value in {
        "<uuid:public_id>": str(attempt.store.public_id),
        "<uuid:solicitation_id>": str(attempt.public_id),
        "<str:token>": tokens["report" if name == "trigger_report" else "attempt"],
    }.items():
        route = route.replace(place, value)
    return filled(route, session), session


def body_of(name: str, attempt: Solicitation) -> dict[str, Any]:
    """What is sent there, so that as much of the view runs as can."""
    reference, signature = str(attempt.reference), attempt.signature
    return {
        "storefront_payment_methods": {"checkout_id": attempt.checkout_id},
        "storefront_form": {"solicitation": str(attempt.public_id), "product": "pp3"},
        "storefront_errors": {"message": "x"},
        "sequra_notification": {
            "order_ref": reference,
            "signature": signature,
            "sq_state": "approved",
            "product_code": "pp3",
        },
        "sequra_event": {"order_ref": reference, "m_signature": signature, "event": "cancelled"},
        "change_exclusions": {"kind": "category", "key": "7", "action": "exclude", "name": "x"},
        "why_not": {"q": "77"},
    }.get(name, {})


def ask(name: str, path: str, body: dict[str, Any], session: str) -> list[int]:
    """Return the status of each method."""
    found, browser = [], Client(headers={"User-Agent": "Mozilla", "Origin": "http://localhost"})
    for method in (PUBLIC | PANEL)[name].split():
        if method == "GET":
            answer = browser.get(path, body)
        elif name.startswith("storefront"):
            answer = browser.post(path, body, content_type="application/json")
        else:
            answer = browser.post(path, {"csrf": _csrf_token(session), **body})
        found.append(answer.status_code)
    return found


# SeQura repeats its messages; the page of the connection needs SeQura's own document.
COMES_AGAIN = ("sequra_notification", "sequra_event", "connection")
ENDING = ("disconnect", "remove_user", "uninstall")  # go last


@pytest.mark.parametrize("kept", [(), ("token", "signature")], ids=["none", "SeQura's"])
def test_no_address_breaks(
    kept: tuple[str, ...], attempt: Solicitation, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.sync.retry.retry.__defaults__", (0.0,))  # no worker runs
    tokens = {"report": attempt.store.report_token, "attempt": attempt.token}
    bodies = {name: body_of(name, attempt) for name in ROUTE_OF}
    signed = {name: {"signed_payload_jwt": sign()} for name in ("load", "remove_user", "uninstall")}
    lose_every_key(*kept)
    broken = {}
    for name in sorted(ROUTE_OF, key=lambda name: ENDING.index(name) if name in ENDING else -1):
        path, session = path_of(name, attempt, tokens)
        found = ask(name, path, bodies[name] | signed.get(name, {}), session)
        worst = 503 if name in COMES_AGAIN else 499
        if any(status > worst or status == 500 for status in found):
            broken[name] = found

    assert broken == {}
    assert Store.objects.get().state == Store.State.UNINSTALLED


def unfinished(attempt: Solicitation) -> None:
    """SeQura may hold a confirmation of this payment."""
    Solicitation.objects.filter(pk=attempt.pk).update(
        phase="confirming", confirm_intent_at=timezone.now(), state="approved"
    )


def test_a_store_is_uninstalled_and_its_payment_waits_for_the_key(
    attempt: Solicitation, sign: Sign
) -> None:
    """The password is kept: the payment is taken back if the key comes back within the day."""
    unfinished(attempt)
    lose_every_key()

    answer = Client().get("/uninstall", {"signed_payload_jwt": sign()})

    assert answer.json() == {"status": "uninstalled"}
    account = Connection.objects.get()
    assert account.erase_at is not None
    with pytest.raises(Undecryptable):
        _ = account.password


def test_an_ordinary_user_does_not_uninstall_a_store_whose_token_is_lost(
    attempt: Solicitation, sign: Sign
) -> None:
    """BigCommerce cannot be asked, so nothing is removed."""
    lose_every_key()
    clerk = sign(user={"id": 77, "email": "clerk@example.com", "locale": "es"})

    answer = Client().get("/uninstall", {"signed_payload_jwt": clerk})

    assert answer.json() == {"status": "ignored"}
    assert Store.objects.get().is_installed


def test_no_task_ends(attempt: Solicitation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.tasks.help_along", _confirm_if_free)  # not on a thread
    unfinished(attempt)
    Order.objects.update(changed=2, due_at=timezone.now())
    Store.objects.update(uninstall_asked_at=timezone.now())
    lose_every_key()
    app.loader.import_default_modules()

    for name in (*PERIODIC, *WAKE_UPS):
        app.tasks[name]()

    assert Store.objects.get().is_installed


def test_every_model_with_a_secret_can_be_read_again() -> None:
    """Django reads each attribute of the new row: that must not decrypt it."""
    for model in apps.get_models():
        if any(isinstance(field, EncryptedTextField) for field in model._meta.concrete_fields):
            assert issubclass(model, ModelWithSecrets), model


def test_a_row_is_read_again_whatever_its_secrets(attempt: Solicitation) -> None:
    lose_every_key()
    for row in (attempt, attempt.store, attempt.connection):
        row.refresh_from_db()
    with pytest.raises(Undecryptable):
        _ = attempt.store.access_token
    Store.objects.update(access_token="new", name="New")

    attempt.store.refresh_from_db()

    assert (attempt.store.access_token, attempt.store.name) == ("new", "New")


COMMANDS = """
stores
doctor
support_bundle abc123
store_settings abc123 --export -
privacy export abc123 --order 1
privacy erase abc123 --email ana@example.com
reconcile --all
dry_run abc123
inbox
forget_store abc123 --yes-really
"""


def test_no_command_breaks(attempt: Solicitation) -> None:
    """It may end non-zero, with a sentence."""
    lose_every_key()
    for command in COMMANDS.strip().splitlines():
        with suppress(CommandError, SystemExit):
            call_command(*command.split(), stdout=StringIO(), stderr=StringIO())
    assert Store.objects.get().state == Store.State.UNINSTALLED
