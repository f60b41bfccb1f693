"""Gift certificates pay their part once, SeQura finances the rest, whatever BigCommerce shows."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from bigcommerce.client import BigCommerce
from payments import balance
from payments.confirm import STEPS, confirm
from payments.models import Solicitation
from stores.install import uninstall
from stores.rate_limit import LIMITS, LocalRateLimit
from tests.payments.shop import Shop
from tests.payments.world import violations
from transaction_log.models import Entry

ZERO = Decimal(0)


@pytest.fixture(autouse=True)
def _knows_nothing_and_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on how busy the machine is."""
    monkeypatch.setattr(balance, "_TIMEOUT", (30.0, 30.0))
    monkeypatch.setattr(balance, "_PAUSE", 1e6)
    balance._tokens.clear()
    balance._paused.clear()


def asked(shop: Shop) -> Counter[str]:
    """How often a token and a balance were asked for."""
    calls = shop.sandbox.calls("bigcommerce")
    return Counter(
        kind
        for call in calls
        for kind, part in (("token", "/storefront/api-token"), ("balance", "/graphql"))
        if part in call["path"] and "/storefront" in call["path"]
    )


def lines(solicitation: Solicitation) -> list[tuple[str, str, int]]:
    return [
        (line["type"], line["reference"], line["total_with_tax"])
        for line in solicitation.order["cart"]["items"]
        if line["total_with_tax"] < 0
    ]


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("credit", ["", "20.00"])
def test_certificates_are_really_used_and_sequra_finances_the_rest(
    shop: Shop, carried: bool, credit: str
) -> None:
    shop.grant(store_credit_carried=carried)
    solicitation = shop.approved_with("10.00", "5.50", credit=credit)

    confirm(solicitation.pk)

    solicitation = Solicitation.objects.get(pk=solicitation.pk)
    assert solicitation.phase == "done"
    expected = [("other_payment", "gift_certificate", -1550)]
    assert lines(solicitation) == [
        *([("other_payment", "store_credit", -2000)] if credit else []),
        *expected,
    ]
    assert set(shop.certificates_left().values()) == {ZERO}
    assert not credit or shop.credit_left(solicitation) == 0
    world = shop.sandbox.world()
    assert violations(world) == []
    [order] = [one["order"] for one in world["bigcommerce_orders"]]
    assert (order["gift_certificate_amount"], order["status_id"]) == ("15.5000", 11)


@pytest.mark.parametrize("without_credit", [False, True])
@pytest.mark.parametrize("without_certificates", [False, True])
def test_every_balance_is_read_alike(
    shop: Shop, without_credit: bool, without_certificates: bool
) -> None:
    shop.grant(
        balance_without_credit=without_credit, balance_without_certificates=without_certificates
    )

    solicitation = shop.approved_with("10.00", credit="20.00")

    assert (solicitation.store_credit, solicitation.paid_by_certificates) == (2000, 1000)
    assert asked(shop) == {"token": 1, "balance": 1}


def test_without_the_scope_nothing_is_asked_and_everything_is_as_before(shop: Shop) -> None:
    checkout = shop.checkout_with("10.00")
    left = Decimal(str(checkout["grand_total"])) - 10

    offered = shop.offer(checkout["checkout_id"], outstanding=str(left))

    assert (offered.solicitation, offered.reasons) == (None, ["gift_certificate"])
    shop.approved_with(credit="20.00")
    assert asked(shop) == {}


@pytest.mark.parametrize(
    ("scope", "is_offered"),
    [
        ("store_storefront_api", False),
        ("store_storefront_api_customer_impersonation", True),
        ("store_storefront_api store_storefront_api_customer_impersonation", True),
    ],
)
def test_a_checkout_that_the_token_does_not_see_is_as_before(
    shop: Shop, scope: str, is_offered: bool
) -> None:
    """Somebody who signed in may be seen only by who may impersonate customers."""
    shop.grant(scope, signed_in_hidden=True)
    checkout = shop.checkout_with("10.00", signed_in=True)
    left = Decimal(str(checkout["grand_total"])) - 10

    offered = shop.offer(checkout["checkout_id"], outstanding=str(left))

    assert offered.reasons == ([] if is_offered else ["gift_certificate"])
    assert asked(shop) == {"token": 1, "balance": 1}


FAULTS: dict[str, dict[str, Any]] = {
    "down": {"status": 503},
    "cut off": {"reset": True},
    "refused": {"status": 401},
    "an error": {"status": 200, "body": {"errors": [{"message": "Cannot query field"}]}},
    "odd": {"status": 200, "body": {"data": None}},
}


@pytest.mark.parametrize("path", ["storefront/graphql$", "storefront/api-token-private$"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_failure_costs_one_question_and_the_browser_decides(
    shop: Shop, path: str, fault: dict[str, Any]
) -> None:
    shop.grant()
    shop.sandbox.fault(path, method="POST", times=9, **fault)

    for _ in range(2):
        assert shop.approved_with(credit="20.00").store_credit == 2000

    is_token = "token" in path
    assert asked(shop) == ({"token": 1} if is_token else {"token": 1, "balance": 1})


def test_no_patience_for_a_storefront_that_hangs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.grant()
    shop.offer(shop.checkout_with()["checkout_id"])  # the token is known
    monkeypatch.setattr(balance, "_TIMEOUT", (30.0, 0.05))
    shop.sandbox.fault("storefront/graphql$", method="POST", delay=5.0)

    assert shop.offer(shop.checkout_with()["checkout_id"]).solicitation
    assert shop.offer(shop.checkout_with()["checkout_id"]).solicitation

    assert asked(shop) == {"token": 1, "balance": 2}


def test_a_limit_per_store(shop: Shop, monkeypatch: pytest.MonkeyPatch, one_window: None) -> None:
    monkeypatch.setitem(LIMITS, "balance", {"allowed": 1, "seconds": 60})
    monkeypatch.setattr(balance, "_rate", LocalRateLimit())
    shop.grant()
    for _ in range(3):
        assert shop.offer(shop.checkout_with()["checkout_id"]).solicitation

    assert asked(shop) == {"token": 1, "balance": 1}


def test_tokens_are_few_and_of_their_installation(shop: Shop) -> None:
    shop.grant()
    for _ in range(3):
        shop.offer(shop.checkout_with("1.00")["checkout_id"])
    assert asked(shop) == {"token": 1, "balance": 3}

    shop.store = shop.install()
    shop.offer(shop.checkout_with("1.00")["checkout_id"])

    assert asked(shop) == {"token": 2, "balance": 4}
    small: balance._Recent[int, str] = balance._Recent()
    for number in range(2 * balance._MOST):
        small.keep(number, "x", 2e9)
    assert len(small._known) == balance._MOST


def test_a_code_is_told_to_nobody(shop: Shop) -> None:
    shop.grant()
    solicitation = shop.approved_with("10.00")
    [code] = shop.certificates_left()

    assert code in solicitation.certificates
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(s)::text FROM payments_solicitation s")
        assert code not in str(cursor.fetchall())
    assert code not in str(shop.sandbox.held("sequra_orders"))


def test_an_attempt_with_other_certificates_is_not_offered_again(shop: Shop) -> None:
    """As much is left to pay as before, so SeQura's order is the same to the cent."""
    shop.grant()
    checkout_id = shop.checkout_with("10.00")["checkout_id"]
    first = shop.offer(checkout_id).solicitation
    assert shop.offer(checkout_id).solicitation == first
    [code] = shop.certificates_left()
    shop.sandbox.control("POST", "certificates", {"id": code, "balance": "0"})
    shop.sandbox.control("POST", "certificates", {"id": "GIFT-B", "balance": "10.00"})
    body = {"checkout_id": checkout_id, "code": "GIFT-B"}
    shop.sandbox.control("POST", "shopper/apply_gift_certificate", body)

    second = shop.offer(checkout_id).solicitation

    assert first is not None
    assert second is not None
    assert second != first
    assert (second.fingerprint, second.amount) == (first.fingerprint, first.amount)
    assert [one.code for one in second.other_payments.certificates] == ["GIFT-B"]


def test_a_certificate_that_was_removed_meanwhile_refuses_before_sequra_confirms(
    shop: Shop,
) -> None:
    shop.grant()
    solicitation = shop.approved_with("10.00")
    [code] = shop.certificates_left()
    shop.sandbox.control("POST", "certificates", {"id": code, "balance": "3.00"})

    confirm(solicitation.pk)

    solicitation = Solicitation.objects.get(pk=solicitation.pk)
    assert (solicitation.phase, solicitation.refusal) == ("refused", "cart_changed")
    assert shop.sandbox.held("bigcommerce_orders") == []


@pytest.mark.parametrize("answer", ["success", "pending"])
def test_a_certificate_that_pays_less_than_agreed_becomes_no_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings, answer: str
) -> None:
    """It is spent elsewhere between the look at the cart and the payment, or pays nothing yet."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    shop.grant()
    solicitation = shop.approved_with("10.00")
    [code] = shop.certificates_left()
    real = STEPS[Solicitation.Phase.CREATED]

    def late(attempt: Solicitation) -> None:
        if answer == "pending":
            body = {"data": {"id": "1", "transaction_type": "purchase", "status": answer}}
            shop.sandbox.fault(r"/payments$", method="POST", status=201, body=body)
        else:
            shop.sandbox.control("POST", "certificates", {"id": code, "balance": "3.00"})
        real(attempt)

    monkeypatch.setitem(STEPS, Solicitation.Phase.CREATED, late)

    while (found := Solicitation.objects.get(pk=solicitation.pk)).undone_at is None:
        confirm(solicitation.pk)

    assert (found.phase, found.refusal) == ("refused", "credit_changed")
    assert violations(shop.sandbox.world()) == []
    assert [one["state"] for one in shop.sandbox.held("sequra_orders")] == ["cancelled"]
    assert shop.certificates_left() == {code: Decimal(10) if answer == "pending" else ZERO}


def test_a_confirmed_payment_that_the_order_never_shows_is_made_once(shop: Shop) -> None:
    """Neither the order nor its transactions show it: BigCommerce's answer has to do."""
    shop.grant()
    solicitation = shop.approved_with("10.00")
    body = {"data": {"id": "1", "transaction_type": "purchase", "status": "success"}}
    shop.sandbox.fault(r"/payments$", method="POST", status=201, body=body, times=9)

    confirm(solicitation.pk)

    assert Solicitation.objects.get(pk=solicitation.pk).phase == "done"
    calls = shop.sandbox.calls("bigcommerce", in_path="/payments")
    assert [call["method"] for call in calls if call["path"].endswith("/payments")] == ["POST"]


def test_a_silent_storefront_does_not_stop_a_payment(shop: Shop) -> None:
    shop.grant()
    solicitation = shop.approved_with("10.00", credit="20.00")
    shop.sandbox.fault("storefront/graphql$", method="POST", status=503, times=9)

    confirm(solicitation.pk)

    assert Solicitation.objects.get(pk=solicitation.pk).phase == "done"
    assert violations(shop.sandbox.world()) == []
    assert set(shop.certificates_left().values()) == {ZERO}


def test_a_second_payment_that_is_refused_undoes_both_sides_and_says_what_to_return(
    shop: Shop, settings: Settings
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    shop.grant(pending_payable=False)
    solicitation = shop.approved_with("10.00", "5.00")

    while (found := Solicitation.objects.get(pk=solicitation.pk)).undone_at is None:
        confirm(solicitation.pk)

    assert found.refusal == "credit_refused"
    assert violations(shop.sandbox.world()) == []
    assert [one["state"] for one in shop.sandbox.held("sequra_orders")] == ["cancelled"]
    entries = Entry.objects.filter(closed_at=None).values_list("reason", "words")
    assert dict(entries).keys() == {"credit_refused", "credit_to_return"}
    assert dict(entries)["credit_to_return"] == "€10.00"


def test_an_order_under_way_is_refused_when_an_uninstallation_erased_its_codes(
    shop: Shop, settings: Settings
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    shop.grant()
    solicitation = shop.approved_with("10.00", credit="20.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=503)
    confirm(solicitation.pk)
    uninstall(shop.store)
    shop.install()

    confirm(solicitation.pk)

    found = Solicitation.objects.get(pk=solicitation.pk)
    assert (found.phase, found.refusal) == ("refused", "credit_changed")
    assert set(shop.certificates_left().values()) == {Decimal(10)}
    assert shop.credit_left(found) == 20


def test_a_payment_whose_answer_is_lost_is_not_made_twice(shop: Shop, settings: Settings) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    shop.grant()
    solicitation = shop.approved_with("10.00", "5.00", credit="20.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=503, effect="before", times=3)

    while Solicitation.objects.get(pk=solicitation.pk).phase != "done":
        confirm(solicitation.pk)

    assert violations(shop.sandbox.world()) == []
    assert set(shop.certificates_left().values()) == {ZERO}
    [order] = [one["order"] for one in shop.sandbox.held("bigcommerce_orders")]
    paid = (order["gift_certificate_amount"], order["store_credit_amount"])
    assert paid == ("15.0000", "20.0000")


def test_a_transaction_without_a_code_stands_for_one_certificate(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The order shows the first of two alike, and so does the only transaction."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    real = BigCommerce.transactions

    def without_codes(self: BigCommerce, order_id: int) -> Any:
        return [{**one, "gift_certificate": {}} for one in real(self, order_id)]

    monkeypatch.setattr(BigCommerce, "transactions", without_codes)
    shop.grant()
    solicitation = shop.approved_with("10.00", "10.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=503, effect="before")

    confirm(solicitation.pk)
    confirm(solicitation.pk)

    assert Solicitation.objects.get(pk=solicitation.pk).phase == "done"
    assert set(shop.certificates_left().values()) == {ZERO}
