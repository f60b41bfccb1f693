"""A support bundle tells what happened, and names no shopper, no user and no secret."""

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders.models import Order
from panel.management.commands.support_bundle import bundle
from payments.confirm import confirm
from stores.models import Merchant, PanelUser, Store
from stores.privacy.personal_data import TABLES
from tests.payments.conftest import MakeSolicitation
from tests.payments.shop import Shop
from tests.payments.test_personal_data import plant
from tests.payments.test_privacy import secrets
from transaction_log.models import Entry

PEOPLE = {
    "given_names": "Fulana María",
    "surnames": "Pérez-Tal O’Brien",
    "email": "fulana+sequra@correo.example",
    "mobile_phone": "+34 612 34 56 78",
    "phone": 34612345678,
    "address_line_1": "Calle Mayor 12, 3º B",
    "postal_code": "EH1 2NG",
    "city": "Getafe",
    "nin": "12345678Z",
    "date_of_birth": "1985-04-03",
    "ip_number": "203.0.113.77",
    "type": "Fulana's own, home",
    "token": "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
    "lines": [{"name": "Mug (Engraving: Tal)", "total_with_tax": 11089}],
}
SENTENCE = "The order of Fulana Pérez-Tal, Calle Mayor 12, 612345678, was rejected: invalid email"
# What none of the bundles may contain.
# Nothing that a random digest or a moment may contain.
PLANTED = re.compile(
    r"fulana|maría|pérez|brien|correo|612 34|612345678|calle|mayor|3º|2NG|getafe|12345678Z"
    r"|1985-04-03|203\.0\.113|eyJ|c2lnbm|engraving",
    re.IGNORECASE,
)


def planted_in(model: Any, name: str) -> Any:
    field = model._meta.get_field(name)
    if field.get_internal_type() == "JSONField":
        return PEOPLE
    return SENTENCE[-field.max_length :] if field.max_length else SENTENCE


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command("support_bundle", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.fixture
def planted(merchant: Merchant, make_solicitation: MakeSolicitation) -> Store:
    """A store with a person in every column that may hold one."""
    plant(merchant, make_solicitation, timezone.now())
    for label, table in TABLES.items():
        model = apps.get_model(label)
        values = {name: planted_in(model, name) for name in table.people}
        if values:
            model._default_manager.update(**values)
    Store.objects.update(access_token="opens-bigcommerce")
    Store.objects.update(name="Fulana Pérez", email=PEOPLE["email"], allowed_ips=["203.0.113.77"])
    merchant.connection.username = "fulana"
    merchant.connection.save(update_fields=["username"])
    return merchant.store


@pytest.mark.parametrize("order", [None, 250])
def test_no_person_and_no_secret_is_in_a_bundle(planted: Store, order: int | None) -> None:
    text = run(planted.hash, *([] if order is None else ["--order", order]))
    assert PLANTED.findall(text) == []
    for values in secrets().values():
        assert not [one for one in values if one and one in text]
    public = [planted.public_id, *planted.solicitations.values_list("public_id", flat=True)]
    assert not [one for one in public if str(one) in text]


def test_what_happened_is_in_the_bundle(planted: Store) -> None:
    told = json.loads(run(planted.hash, "--order", 250))
    (order,) = told["tables"]["orders.Order"]
    assert (order["bigcommerce_id"], order["amount"], order["status"]) == (250, 11089, "approved")
    assert order["accepted_update"]["lines"][0]["total_with_tax"] == 11089
    assert {one["event"] for one in told["tables"]["transaction_log.Entry"]} == {
        "purchase", "correction",
    }  # fmt: skip
    assert {one["check"] for one in told["findings"]} >= {"state", "scopes", "webhooks"}
    assert {one["check"] for one in told["installation"]} >= {"database", "migrations"}
    (store_row,) = told["tables"]["stores.Store"]
    assert (store_row["hash"], store_row["access_token"]) == ("abc123", "‹secret›")


def test_a_pseudonym_is_the_same_everywhere_in_a_store_and_another_elsewhere(
    planted: Store,
) -> None:
    told = json.loads(run(planted.hash, "--order", 250))["tables"]
    of_order = told["orders.Order"][0]["accepted_update"]["email"]
    of_payment = told["payments.Solicitation"][0]["order"]["email"]
    assert of_order == of_payment == told["stores.Store"][0]["email"]
    assert re.fullmatch(r"~[0-9a-f]{8}", of_order)
    assert "order of ~" in told["transaction_log.Entry"][0]["words"]
    assert told["transaction_log.Entry"][0]["words"].endswith("was rejected: invalid email")

    other = Store.objects.create(hash="other9", email=str(PEOPLE["email"]))
    assert bundle(other)["tables"]["stores.Store"][0]["email"] != of_order


def test_another_store_is_in_no_bundle(planted: Store) -> None:
    other = Store.objects.create(hash="other9")
    Entry.objects.create(store=other, event="edit", outcome="rejected", reason="only_theirs")
    PanelUser.objects.create(store=other, bigcommerce_id=77)
    assert "only_theirs" not in run(planted.hash)
    assert [row["reason"] for row in bundle(other)["tables"]["transaction_log.Entry"]] == [
        "only_theirs"
    ]


def test_only_the_newest_rows_are_written(planted: Store) -> None:
    for number in range(5):
        Entry.objects.create(store=planted, event="edit", outcome="accepted", attempts=number + 10)
    told = json.loads(run(planted.hash, "--rows", 2))["tables"]["transaction_log.Entry"]
    assert [row["attempts"] for row in told] == [14, 13]


def test_a_real_purchase_leaves_no_word_of_its_shopper(shop: Shop) -> None:
    confirm(shop.approved().pk)
    order = Order.objects.get()
    solicited = order.solicited
    people = [solicited["customer"], solicited["delivery_address"], solicited["invoice_address"]]
    words = {
        word
        for part in people
        for text in strings(list(part.values()))
        for word in re.findall(r"[\w.@+]{4,}", text)
        if re.search("[g-z@]", word)  # no digest and no moment contains it
    }
    assert len(words) > 5
    text = run(shop.store.hash, "--order", order.bigcommerce_id).casefold()
    seen = {word for word in words if re.search(rf"\b{re.escape(word.casefold())}\b", text)}
    assert seen <= {"desktop", str(order.bigcommerce_id)}, seen


def test_a_file_is_new_and_its_owners_alone(planted: Store, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    run(planted.hash, "--output", path)
    assert json.loads(path.read_text())["store"] == "abc123"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="File exists"):
        run(planted.hash, "--output", path)
