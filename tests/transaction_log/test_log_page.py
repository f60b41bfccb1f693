"""The log as merchants see it."""

import re
import uuid

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from stores.models import PanelUser
from tests.stores.conftest import Panel, panel_for
from tests.transaction_log.conftest import MakeEntry, MakeOrder
from transaction_log.explanations import explain

REFERENCE = uuid.UUID("0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a")
SANDBOX = f"https://portal-sandbox.sequra.com/orders/{REFERENCE}"
SHOP = "https://store-abc123.mybigcommerce.com/manage/orders/250"
LIVE = f"https://portal.sequra.com/orders/{REFERENCE}"


def test_rejected_entry_says_everything_without_a_click(
    panel: Panel, make_rejected: MakeEntry
) -> None:
    make_rejected(reference=REFERENCE, attempts=3)
    html = panel.get("log/").content.decode()
    for text in (
        "Paga en 3",
        "Shipment",
        "Rejected",
        "The sum of the items is 11088 and the order&#x27;s total is 11089",
        "SeQura rejected this shipment.",
        "Compare the order with SeQura and fix it in BigCommerce.",
        "3 attempts",
        f'href="{SHOP}" target="_blank" rel="noopener"',
        f'href="{SANDBOX}" target="_blank" rel="noopener"',
        "1 order update needs your attention",
    ):
        assert text in html


@pytest.mark.parametrize(("environment", "link"), [("sandbox", SANDBOX), ("live", LIVE)])
def test_portal_is_the_one_of_the_entry(
    panel: Panel, make_entry: MakeEntry, environment: str, link: str
) -> None:
    make_entry(reference=REFERENCE, environment=environment)
    html = panel.get("log/").content.decode()
    assert [one for one in (SANDBOX, LIVE) if f'href="{one}"' in html] == [link]


def test_entry_without_order_and_reference_has_no_links(
    panel: Panel, make_entry: MakeEntry
) -> None:
    make_entry(bigcommerce_id=None, reference=None, event="purchase")
    html = panel.get("log/").content.decode()
    assert "manage/orders" not in html
    assert "portal-sandbox" not in html


def test_empty_log_says_what_will_be_here(panel: Panel) -> None:
    html = panel.get("log/").content.decode()
    assert "No entries yet" in html
    assert "<table" not in html


def test_search_without_result_offers_a_way_out(panel: Panel, make_entry: MakeEntry) -> None:
    make_entry()
    html = panel.get("log/?q=999").content.decode()
    assert "No entries match" in html
    assert f'href="/s/{panel.token}/log/"' in html


def test_settled_entry_offers_no_action(panel: Panel, make_rejected: MakeEntry) -> None:
    make_rejected(closed_at=timezone.now())
    html = panel.get("log/").content.decode()
    assert "Resolved" in html
    assert "/retry" not in html
    assert "/ignore" not in html


def test_amounts_that_were_told_are_said(panel: Panel, make_entry: MakeEntry) -> None:
    make_entry(unshipped=123456, shipped=0)
    assert "Not shipped €1,234.56 · Shipped €0.00" in panel.get("log/").content.decode()


@pytest.mark.parametrize("path", ["log/", "orders/250/", "shipping/"])
def test_a_total_above_the_approved_amount_is_named_in_euros(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry, path: str
) -> None:
    make_order(amount=48390)
    make_rejected(event="ship", unshipped=59490, shipped=0)

    html = panel.get(path).content.decode()

    assert "The order total of €594.90 is €111.00 above the €483.90 that SeQura approved." in html


def test_a_total_within_the_approved_amount_is_not_blamed(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry
) -> None:
    make_order(amount=48390)
    make_rejected(event="edit", unshipped=48390, shipped=0)
    make_rejected(event="edit", bigcommerce_id=251, unshipped=99999, shipped=0)
    html = panel.get("log/").content.decode()
    assert "that SeQura approved" not in html
    assert html.count("SeQura rejected this update.") == 2


def test_what_must_change_first_does_not_lead_to_a_retry(
    panel: Panel, make_rejected: MakeEntry
) -> None:
    make_rejected(event="edit")
    make_rejected(event="refund", bigcommerce_id=251)
    rows = panel.get("log/").content.decode().split("<tbody>")[1].split("</tr>")
    offered = [re.findall(r'button-secondary"[^>]*>(Retry|Compare)', row) for row in rows[:2]]
    assert offered == [["Retry", "Compare"], ["Compare", "Retry"]]


def test_refused_purchase_offers_no_retry(panel: Panel, make_rejected: MakeEntry) -> None:
    make_rejected(event="purchase", reason="cart_changed")
    html = panel.get("log/").content.decode()
    assert "/retry" not in html
    assert "/compare" not in html
    assert "/ignore" in html


def test_what_cannot_be_retried_can_be_compared(panel: Panel, make_rejected: MakeEntry) -> None:
    make_rejected(event="cancelled_by_sequra", reason="cancelled_after_shipping")
    html = panel.get("log/").content.decode()
    assert "/retry" not in html
    assert f'href="/s/{panel.token}/orders/250/compare/"' in html


def test_hostile_words_stay_text(panel: Panel, make_rejected: MakeEntry) -> None:
    make_rejected(words="<script>alert(1)</script>", payment_method='"><img src=x>', event="<b>")
    html = panel.get("log/").content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "<b>" not in html.split("<tbody>")[1].split("</tbody>")[0]


def test_hostile_control_panel_address_is_no_link(panel: Panel, make_entry: MakeEntry) -> None:
    panel.store.control_panel_url = "javascript:alert(1)//"
    panel.store.save()
    make_entry()
    html = panel.get("log/").content.decode()
    assert "javascript:" not in html
    assert 'href="https://store-abc123.mybigcommerce.com/manage/orders/250"' in html


@pytest.mark.parametrize("entries", [0, 3, 60])
def test_page_takes_three_queries(
    panel: Panel,
    make_rejected: MakeEntry,
    entries: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(entries):
        make_rejected(bigcommerce_id=number + 1)
    with django_assert_num_queries(3):
        assert panel.get("log/").status_code == 200


def test_page_may_be_framed_by_the_control_panel_only(panel: Panel) -> None:
    reply = panel.get("log/")
    policy = reply["Content-Security-Policy"]
    assert "frame-ancestors https://*.mybigcommerce.com" in policy
    assert reply["Cache-Control"] == "no-store"
    assert "X-Frame-Options" not in reply


def test_unknown_reason_of_sequra_is_a_refusal() -> None:
    assert explain("sequra_418") == explain("sequra_451")
    assert explain("sequra_418").retry
    assert not explain("").retry


@pytest.mark.parametrize(
    ("locale", "word"),
    [
        ("en-US", "Transaction log"),
        ("es-ES", "Registro de transacciones"),
        ("fr-FR", "Journal des transactions"),
        ("it-IT", "Registro delle transazioni"),
        ("pt-PT", "Registo de transações"),
    ],
)
def test_page_speaks_the_language_of_its_reader(panel: Panel, locale: str, word: str) -> None:
    PanelUser.objects.filter(pk=panel.user.pk).update(locale=locale)
    html = panel_for(panel.store).get("log/").content.decode()
    assert f"<h1>{word}</h1>" in html
    assert f'<html lang="{locale[:2]}">' in html
