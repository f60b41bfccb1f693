"""The self-test: real answers and a real event, or a sentence that says what cannot be tested."""

from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.utils import timezone

from orders.models import WebhookEvent
from panel import doctor
from tests.panel.test_settings import Panel
from tests.panel.world import empty_store, filled_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def panel() -> Panel:
    return Panel(filled_store())


def results(panel: Panel, ago: timedelta, order: int = 1001) -> str:
    query = {"ran": "1", "order": order, "since": (timezone.now() - ago).isoformat()}
    page: str = panel.get(f"self-test/?{urlencode(query)}").content.decode()
    return page


def deliver(panel: Panel, order: int = 1001) -> None:
    """An event as the intake stores it."""
    WebhookEvent.objects.create(
        store=panel.store,
        scope="store/order/updated",
        hash="0123",
        bigcommerce_order_id=order,
        payload={},
    )


def test_the_event_that_came_back_is_shown_with_its_seconds(panel: Panel) -> None:
    assert "Waiting for BigCommerce to send the event of order 1001." in results(panel, timedelta())
    deliver(panel)
    page = results(panel, timedelta(seconds=7))
    assert "BigCommerce sent the event of order 1001 back after 7 seconds." in page
    assert "arrived yet" not in page


@pytest.mark.parametrize("order", [1001, 1002])
def test_an_event_from_before_or_of_another_order_is_not_the_one(panel: Panel, order: int) -> None:
    deliver(panel)
    WebhookEvent.objects.filter(store=panel.store).update(
        received_at=timezone.now() - timedelta(minutes=10 if order == 1001 else 0)
    )
    page = results(panel, timedelta(minutes=4), order=1003 if order == 1002 else order)
    assert "hasn&#x27;t sent the event of order" in page


def test_an_event_of_another_store_is_not_the_one(panel: Panel) -> None:
    other = Panel(filled_store("other9"))
    deliver(other)
    assert "Waiting for BigCommerce" in results(panel, timedelta(seconds=7))


def test_a_store_without_orders_is_told_what_cannot_be_tested() -> None:
    panel = Panel(empty_store())
    answer = panel.post("self-test/run")
    page = panel.get("self-test/?" + urlsplit(answer["Location"]).query).content.decode()
    assert "Webhooks can only be tested with an order." in page


def test_what_does_not_answer_is_named_and_the_text_is_the_doctors(panel: Panel) -> None:
    """BigCommerce and SeQura are away in these tests: their address answers nobody."""
    answer = panel.post("self-test/run")
    query = parse_qs(urlsplit(answer["Location"]).query)
    assert (query["problem"], query["silent"]) == (["bigcommerce"], ["1"])
    page = panel.get("self-test/?" + urlsplit(answer["Location"]).query).content.decode()
    assert "BigCommerce didn&#x27;t let us ask for an event." in page
    assert "SeQura didn&#x27;t respond. Run the self-test again in a few minutes." in page
    first = doctor.lines(doctor.known(panel.store))[0]
    assert first in page
    assert "round_trip" in page


def test_the_text_for_support_is_english_and_holds_no_secret() -> None:
    panel = Panel(filled_store(), "es")
    page = panel.get("self-test/").content.decode()
    report = page.partition('id="report"')[2].partition("</pre>")[0]
    assert "All stored secrets can be decrypted." in report
    for secret in (panel.store.webhook_secret, panel.store.report_token, "calzados"):
        assert secret not in report


@pytest.mark.parametrize("query", ["order=x&since=y", "order=9&since=2026-99-99T00:00", "since=1"])
def test_an_address_that_makes_no_sense_is_no_error(panel: Panel, query: str) -> None:
    assert panel.get(f"self-test/?ran=1&{query}").status_code == 200


def test_tests_are_limited(panel: Panel) -> None:
    store = empty_store("other9")
    quick = Panel(store)
    store.state = store.State.NEEDS_REAUTHORISATION
    store.save()
    answers = [quick.post("self-test/run")["Location"] for _ in range(11)]
    assert ["tested_too_often" in one for one in answers] == [False] * 10 + [True]
