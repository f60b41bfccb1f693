"""A return that SeQura reported is refunded in BigCommerce once, whatever happens meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
import responses
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.models import Order
from orders.returns import NoOfflineRefund, Quote, quote, refund
from orders.sync.worker import drain
from payments.confirm import confirm
from stores.clients import bigcommerce_for
from stores.isolation import only_one
from stores.models import Store
from tests.browser.axe import violations
from tests.orders.merchant import Merchant
from tests.stores.conftest import Panel, panel_for
from transaction_log import record
from transaction_log.models import Entry

LAMP = 8995
TOTAL = 14980
ANA = "ana@example.com"


class Return:
    """An order of which SeQura reported a return, and its lamp."""

    def __init__(self, merchant: Merchant, **wishes: Any) -> None:
        self.merchant, self.order = merchant, merchant.order(**wishes)
        subject = self.order.subject
        self.entry = record.rejected(subject, "return", "return_reported", statement="return")
        self.lamp = merchant.lines(self.order)[0]["id"]

    def refund(self, cents: int = LAMP, person: str = ANA) -> str:
        word = refund(self.order, self.entry, {self.lamp: 1}, cents, person)
        drain()
        return word

    def refunds(self) -> list[Any]:
        api = bigcommerce_for(self.merchant.store)
        return [found["total_amount"] for found in api.refunds(self.order.bigcommerce_id)]

    def posts(self) -> int:
        calls = self.merchant.sandbox.calls("bigcommerce", in_path="payment_actions/refunds")
        return sum(call["method"] == "POST" for call in calls)

    @property
    def attempt(self) -> Any:
        return Order.objects.get(pk=self.order.pk).refunding


@pytest.fixture(autouse=True)
def slow_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt stays in doubt for a day, however long a test takes."""
    monkeypatch.setattr("orders.returns._SETTLED", timedelta(days=1))


@pytest.fixture
def returned(merchant: Merchant) -> Return:
    return Return(merchant)


def test_a_refund_is_recorded_once_and_lowers_the_order_at_sequra_once(
    merchant: Merchant, returned: Return
) -> None:
    assert returned.refund() == "refund_recorded"
    assert returned.refund(person="luis@example.com") == "settled"

    assert returned.refunds() == [LAMP / 100]
    assert merchant.at_sequra(returned.order)["total"] == TOTAL - LAMP
    assert len(merchant.updates()) == 1
    assert returned.attempt is None
    returned.entry.refresh_from_db()
    assert not returned.entry.is_open
    decided = Entry.objects.get(reason="return_refunded")
    assert (decided.event, decided.ignored_by, decided.words) == ("decision", ANA, "89,95\xa0€")

    # SeQura holds the order as a whole: what it took off itself is not taken off again.
    Order.objects.filter(pk=returned.order.pk).update(unsure=True)
    merchant.notices(returned.order)
    assert len(merchant.updates()) == 2
    assert merchant.at_sequra(returned.order)["total"] == TOTAL - LAMP


def test_a_lost_answer_is_looked_for_before_another_refund(
    merchant: Merchant, returned: Return
) -> None:
    merchant.sandbox.fault("refunds$", method="POST", effect="before", reset=True)

    assert returned.refund() == "refund_in_doubt"
    assert returned.attempt["units"] == {str(returned.lamp): 1}
    assert returned.entry.is_open

    assert returned.refund(person="luis@example.com") == "refund_recorded"
    assert (returned.refunds(), returned.posts()) == ([LAMP / 100], 1)
    assert returned.attempt is None


def test_an_attempt_in_doubt_is_settled_before_another_return_is_refunded(
    merchant: Merchant,
) -> None:
    returned = Return(merchant, lines=[{"product_id": 102, "quantity": 2}])
    first = returned.entry
    other = record.rejected(returned.order.subject, "return", "return_reported", statement="2nd")
    merchant.sandbox.fault("refunds$", method="POST", status=504)
    assert returned.refund() == "refund_in_doubt"
    returned.entry = other
    assert returned.refund() == "refund_in_doubt"
    assert returned.attempt["entry"] == first.pk

    one = [{"order_product_id": returned.lamp, "quantity": 1}]
    merchant.acts("refund", returned.order, items=one)  # as if the first had arrived late
    assert returned.refund() == "refund_recorded"

    assert not Entry.objects.filter(event="return", closed_at__isnull=True).exists()
    assert Entry.objects.filter(reason="return_refunded").count() == 2
    assert (len(returned.refunds()), returned.posts(), returned.attempt) == (2, 2, None)


def test_what_never_arrived_is_sent_again_once_that_is_certain(
    merchant: Merchant, returned: Return
) -> None:
    merchant.sandbox.fault("refunds$", method="POST", status=504)
    assert returned.refund() == "refund_in_doubt"
    assert returned.refund() == "refund_in_doubt"
    assert returned.posts() == 1

    earlier = (timezone.now() - timedelta(days=2)).isoformat()
    attempt = {**returned.attempt, "at": earlier}
    Order.objects.filter(pk=returned.order.pk).update(refunding=attempt)
    assert returned.refund() == "refund_recorded"
    assert (returned.refunds(), returned.posts()) == ([LAMP / 100], 2)


def test_an_earlier_refund_of_the_same_units_is_another_one(merchant: Merchant) -> None:
    returned = Return(merchant, lines=[{"product_id": 102, "quantity": 2}])
    one = [{"order_product_id": returned.lamp, "quantity": 1}]
    merchant.acts("refund", returned.order, items=one)
    merchant.sandbox.fault("refunds$", method="POST", status=504)

    assert returned.refund() == "refund_in_doubt"
    assert returned.refund() == "refund_in_doubt"
    assert returned.posts() == 1


def test_a_rejected_refund_leaves_no_attempt(merchant: Merchant, returned: Return) -> None:
    merchant.sandbox.fault("refunds$", method="POST", status=422)
    with pytest.raises(Rejected):
        returned.refund()
    assert (returned.attempt, returned.refunds()) == (None, [])
    assert returned.refund() == "refund_recorded"


def test_nothing_is_refunded_for_another_amount_than_the_person_saw(returned: Return) -> None:
    assert returned.refund(cents=LAMP + 1) == "refund_changed"
    assert (returned.posts(), returned.attempt) == (0, None)


def test_nothing_is_refunded_beyond_what_sequra_financed(merchant: Merchant) -> None:
    """Store credit paid the rest, and is given back by hand."""
    confirm(merchant.shop.approved_with_credit("70.00").pk)
    drain()
    order = Order.objects.get()
    assert order.amount == TOTAL - 70_00
    lamp, api = merchant.lines(order)[0]["id"], bigcommerce_for(merchant.store)

    with pytest.raises(NoOfflineRefund):
        quote(api, order, {lamp: 1})

    order.accepted_update = {"shipped_cart": {"order_total_with_tax": LAMP}}
    assert quote(api, order, {lamp: 1}).cents == LAMP


def test_two_at_once_are_one(returned: Return, settings: Settings) -> None:
    settings.DATABASE_POOLED = True  # one connection holds a lock of its session twice
    with only_one(f"refund of order {returned.order.pk}"):
        assert returned.refund() == "refund_under_way"
    assert returned.posts() == 0


def option(amount: object = 89.95, *, offline: bool = True) -> dict[str, Any]:
    return {"provider_id": "custom", "amount": amount, "offline": offline}


@pytest.mark.parametrize(
    ("methods", "found"),
    [
        ([[option(offline=False)], [option()]], LAMP),
        ([[option("89.9500")]], LAMP),
        ([[option(80), option(9.95)]], None),
        ([[option(100)]], 10000),  # with tax, in a store of prices without
        ([[option(offline=False)]], None),
        ([[]], None),
        (None, None),
    ],
)
@responses.activate
def test_only_a_refund_that_bigcommerce_does_not_pay_itself_is_made(
    methods: Any, found: int | None
) -> None:
    url = "https://api.test/stores/abc/v3/orders/7/payment_actions/refund_quotes"
    document = {"total_refund_amount": 89.95, "refund_methods": methods}
    responses.post(url, json={"data": document}, status=201)
    api = BigCommerce("https://api.test", "abc", "token")
    order = Order(bigcommerce_id=7, solicited={"cart": {"order_total_with_tax": 100_00}})
    if found is None:
        with pytest.raises(NoOfflineRefund):
            quote(api, order, {5: 1})
    else:
        assert quote(api, order, {5: 1}) == Quote(found, option(methods[-1][-1]["amount"]))


# The page -----------------------------------------------------------------------------------------


@pytest.fixture
def page(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Panel:
    monkeypatch.setattr("orders.returns.wake_worker", drain)
    return panel_for(merchant.store)


def test_the_page_shows_the_amount_before_it_is_refunded(page: Panel, returned: Return) -> None:
    number, lamp = returned.order.bigcommerce_id, returned.lamp
    address = f"orders/{number}/returns/{returned.entry.pk}/"
    assert f'href="/s/{page.token}/{address}"' in page.get(f"orders/{number}/").content.decode()

    asked = page.get(address).content.decode()
    assert f'name="units_{lamp}" min="0" max="1"' in asked
    assert "Record the refund of" not in asked
    shown = page.get(f"{address}?units_{lamp}=9&units_x=1").content.decode()
    assert "Record the refund of €89.95" in shown
    assert returned.posts() == 0

    given = {f"units_{lamp}": "1", "cents": str(LAMP)}
    other = page.post(f"{address}refund", {**given, "cents": "1"})["Location"]
    assert other.endswith(f"{address}?done=refund_changed&units_{lamp}=1")
    for word in ("refund_recorded", "settled"):
        answer = page.post(f"{address}refund", given)["Location"]
        assert answer.endswith(f"orders/{number}/?done={word}")
    assert returned.refunds() == [LAMP / 100]
    assert page.get(address).status_code == 404


def test_a_return_that_is_reported_again_shows_the_earlier_refund(
    merchant: Merchant, page: Panel
) -> None:
    returned = Return(merchant, lines=[{"product_id": 102, "quantity": 2}])
    number, said = returned.order.bigcommerce_id, "already recorded a refund"
    first = page.get(f"orders/{number}/returns/{returned.entry.pk}/").content.decode()
    assert said not in first

    assert returned.refund() == "refund_recorded"
    subject = returned.order.subject
    again = record.rejected(subject, "return", "return_reported", statement="return")

    shown = page.get(f"orders/{number}/returns/{again.pk}/?units_{returned.lamp}=1")
    notice, _, buttons = shown.content.decode().partition("Which products came back?")
    assert said in notice
    assert ": 89,95\xa0€</p>" in notice
    assert "Record the refund of" in buttons


def test_what_bigcommerce_rejects_is_to_be_done_there(
    merchant: Merchant, page: Panel, returned: Return
) -> None:
    merchant.acts("cancel", returned.order)
    address = f"orders/{returned.order.bigcommerce_id}/returns/{returned.entry.pk}/"

    shown = page.get(f"{address}?units_{returned.lamp}=1").content.decode()

    assert "Open the order in BigCommerce and refund them there" in shown
    assert "cannot be refunded" in shown
    assert "Record the refund of" not in shown


def test_a_return_belongs_to_its_store(page: Panel, returned: Return) -> None:
    stranger = panel_for(Store.objects.create(hash="other9", access_token="token"), number=77)
    address = f"orders/{returned.order.bigcommerce_id}/returns/{returned.entry.pk}/"

    assert stranger.get(address).status_code == 404
    given = {f"units_{returned.lamp}": "1", "cents": str(LAMP)}
    assert stranger.post(f"{address}refund", given)["Location"].endswith("?done=settled")
    assert (returned.posts(), returned.entry.is_open) == (0, True)


def test_bigcommerce_does_not_answer_and_nothing_is_refunded(
    merchant: Merchant, returned: Return
) -> None:
    merchant.sandbox.fault("refund_quotes", method="POST", status=503)
    with pytest.raises(Unavailable):
        returned.refund()
    assert (returned.attempt, returned.posts()) == (None, 0)


def test_a_return_is_refunded_with_the_keyboard(
    page: Panel, returned: Return, live_app: str, browser: Browser
) -> None:
    number = returned.order.bigcommerce_id
    context = browser.new_context(viewport={"width": 390, "height": 900})
    tab = context.new_page()
    tab.goto(f"{live_app}/s/{page.token}/orders/{number}/")
    tab.get_by_role("link", name="Record this refund").press("Enter")
    tab.get_by_role("spinbutton").first.fill("1")
    tab.get_by_role("button", name="Calculate the refund").press("Enter")
    record_it = tab.get_by_role("button", name="Record the refund of €89.95")
    expect(record_it).to_be_visible()
    assert violations(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    record_it.press("Enter")

    expect(tab.get_by_text("The refund was recorded in BigCommerce")).to_be_visible()
    assert returned.refunds() == [LAMP / 100]
    context.close()
