"""Webhooks that are gone, and changes that none of them told about."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from orders import tasks
from orders.drift.reconcile import watch_due
from orders.models import Order, Reconciliation, WebhookEvent
from orders.sync.worker import drain
from stores.clients import bigcommerce_for
from stores.registration import parts
from tests.orders.merchant import Merchant


@pytest.fixture
def order(merchant: Merchant, settings: Settings) -> Order:
    """An order of a store whose webhooks are in order, and were looked at an hour ago."""
    for change in parts.webhook_changes(bigcommerce_for(merchant.store), merchant.store):
        change.apply()
    order = merchant.order()
    an_hour_ago = timezone.now() - timedelta(hours=1, minutes=1)
    Reconciliation.objects.create(
        store=merchant.store, webhooks_at=an_hour_ago, until=timezone.now()
    )
    return order


def hooks(merchant: Merchant) -> list[dict[str, Any]]:
    return list(merchant.sandbox.held("hooks"))


@pytest.mark.parametrize("spoil", ["hooks/deactivate", "hooks/delete"])
def test_webhooks_come_back_and_the_gap_is_replayed(
    merchant: Merchant, order: Order, spoil: str
) -> None:
    merchant.sandbox.control("POST", spoil, {"scope": "store/order/updated"})
    merchant.acts("ship", order)
    watch_due()
    drain()
    assert sorted(hook["scope"] for hook in hooks(merchant)) == sorted(parts._SCOPES)
    assert all(hook["is_active"] for hook in hooks(merchant))
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


def test_blocked_domain_is_a_gap(merchant: Merchant, order: Order, settings: Settings) -> None:
    merchant.sandbox.knobs(blocked_domains=[settings.APP_URL])
    merchant.acts("ship", order)
    watch_due()
    drain()
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


def test_healthy_store_costs_two_calls_an_hour(merchant: Merchant, order: Order) -> None:
    before = len(merchant.sandbox.calls("bigcommerce"))
    watch_due()
    watch_due()
    assert len(merchant.sandbox.calls("bigcommerce")) == before + 2


def test_bigcommerce_that_is_away_is_asked_again(merchant: Merchant, order: Order) -> None:
    merchant.sandbox.control("POST", "hooks/delete", {"scope": "store/order/updated"})
    merchant.sandbox.fault(r"/stores/.*/hooks", method="GET", status=503, times=1)
    watch_due()
    assert len(hooks(merchant)) == len(parts._SCOPES) - 1
    watch_due()
    assert len(hooks(merchant)) == len(parts._SCOPES)


def test_old_events_are_forgotten(merchant: Merchant, order: Order) -> None:
    old = timezone.now() - timedelta(days=20)
    for outcome in ("folded", "ignored", "parked"):
        WebhookEvent.objects.create(
            store=merchant.store,
            scope="store/order/updated",
            hash=outcome,
            payload={},
            outcome=outcome,
            received_at=old,
        )
    tasks.watch()
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) == {"parked"}


def test_change_without_any_webhook_is_reconciled(
    merchant: Merchant, order: Order, settings: Settings
) -> None:
    settings.RECONCILE_SECONDS = 60
    merchant.acts("ship", order)
    tasks.reconcile()
    assert merchant.updates() == []
    Reconciliation.objects.update(until=timezone.now() - timedelta(seconds=61))
    tasks.reconcile()
    drain()
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
    assert len(merchant.updates()) == 1


def test_reconciliation_that_failed_starts_where_the_last_one_ended(
    merchant: Merchant, order: Order, settings: Settings
) -> None:
    settings.RECONCILE_SECONDS = 0
    began = Reconciliation.objects.get().until
    merchant.sandbox.fault(r"/stores/.*/orders$", method="GET", status=503, times=1)
    tasks.reconcile()
    assert Reconciliation.objects.get().until == began
    tasks.reconcile()
    until = Reconciliation.objects.get().until
    assert until
    assert began
    assert until > began
