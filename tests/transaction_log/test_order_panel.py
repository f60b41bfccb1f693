"""The side panel of an order."""

import re
import uuid
from typing import Any

import pytest
import responses
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from orders.corrections import brought_along, with_corrections
from orders.models import Correction, Order
from panel.views.order import _Amounts, _amounts_of
from payloads.order.comparison import standing
from payments.models import Solicitation
from tests.orders.merchant import Merchant
from tests.stores.conftest import Panel, panel_for
from tests.transaction_log.conftest import NOON, MakeEntry, MakeOrder

REFERENCE = uuid.UUID("0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a")


def carts(unshipped: int, shipped: int) -> dict[str, Any]:
    return {
        "unshipped_cart": {"order_total_with_tax": unshipped, "items": []},
        "shipped_cart": {"order_total_with_tax": shipped, "items": []},
    }


@pytest.mark.parametrize(
    ("environment", "portal", "word"),
    [
        ("sandbox", "https://portal-sandbox.sequra.com/orders/", "Sandbox"),
        ("live", "https://portal.sequra.com/orders/", "Live"),
    ],
)
def test_panel_shows_what_we_know(
    panel: Panel, make_order: MakeOrder, environment: str, portal: str, word: str
) -> None:
    make_order(reference=REFERENCE, environment=environment, accepted_update=carts(5000, 3000))
    html = panel.get("orders/250/").content.decode()
    for text in (
        f'<code id="reference">{REFERENCE}</code>',
        'data-copy="reference"',
        "<dd>Approved</dd>",
        "SeQura - Paga en 3",
        "€110.89",
        "€80.00",
        "€30.00",
        "€30.89",
        f"<dd>{word}</dd>",
        "demo_es",
        f'href="{portal}{REFERENCE}" target="_blank" rel="noopener"',
        'href="https://store-abc123.mybigcommerce.com/manage/orders/250"',
    ):
        assert text in html


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("approved", "Approved"),
        ("in_review", "In review"),
        ("cancelled", "Cancelled"),
        ("without_reference", "Confirmed without reference"),
    ],
)
def test_status_has_one_vocabulary(
    panel: Panel, make_order: MakeOrder, status: str, word: str
) -> None:
    make_order(status=status)
    assert f"<dd>{word}</dd>" in panel.get("orders/250/").content.decode()


@pytest.mark.parametrize(
    ("fields", "amounts"),
    [
        ({"accepted_update": None}, _Amounts(11089, 0, 0, 11089)),
        ({"accepted_update": carts(11089, 0)}, _Amounts(11089, 0, 0, 11089)),
        ({"accepted_update": carts(5000, 3000)}, _Amounts(11089, 3000, 3089, 8000)),
        ({"accepted_update": carts(0, 0)}, _Amounts(11089, 0, 11089, 0)),
        ({"accepted_update": carts(12000, 0)}, _Amounts(11089, 0, 0, 12000)),
        ({"accepted_update": None, "status": "cancelled"}, _Amounts(11089, 0, 11089, 0)),
        (
            {"accepted_update": carts(8000, 3089), "status": "cancelled"},
            _Amounts(11089, 3089, 8000, 3089),
        ),
    ],
)
def test_amounts_follow_what_sequra_accepted(
    make_order: MakeOrder, fields: dict[str, Any], amounts: _Amounts
) -> None:
    assert _amounts_of(make_order(**fields)) == amounts


def test_open_problems_stand_on_top_with_their_actions(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry, make_entry: MakeEntry
) -> None:
    make_order()
    problem = make_rejected()
    make_entry(event="refund")
    html = panel.get("orders/250/").content.decode()
    assert html.index("Needs attention") < html.index("SeQura order</h2>") < html.index("Timeline")
    assert f'action="/s/{panel.token}/orders/250/retry"' in html
    assert f'action="/s/{panel.token}/log/{problem.pk}/ignore"' in html
    assert "The sum of the items is 11088" in html


def test_timeline_is_newest_first_and_ends_with_the_purchase(
    panel: Panel, make_order: MakeOrder, make_entry: MakeEntry
) -> None:
    make_order()
    make_entry(event="ship")
    make_entry(event="cancelled_by_sequra", bigcommerce_id=250)
    make_entry(event="refund", bigcommerce_id=251)
    html = panel.get("orders/250/").content.decode().split('id="timeline"')[1]
    order = [html.index(text) for text in ("Cancelled by SeQura", "Shipment", "Purchase")]
    assert order == sorted(order)
    assert "Received from SeQura" in html
    assert "SeQura approved €110.89." in html
    assert "Refund</b>" not in html


def test_timeline_goes_back_to_the_cart(
    panel: Panel, make_order: MakeOrder, make_entry: MakeEntry
) -> None:
    names = ["solicited", "form_shown", "needs_review", "on_hold", "of_another_release"]
    moments = [[name, f"2026-11-20T10:5{minute}:00+00:00"] for minute, name in enumerate(names)]
    make_order(beginnings=moments)
    make_entry(event="purchase")
    html = panel.get("orders/250/").content.decode().split('id="timeline"')[1]
    items = [
        " ".join(re.sub(r"<[^>]+>", " ", item).split())
        for item in html.split("<ol")[1].split("</ol>", maxsplit=1)[0].split("<li")[2:]
    ]
    assert [item.removeprefix("> ") for item in items] == [
        "Payment put on hold Sent to SeQura 20 Nov 2026, 11:53",
        "Payment sent to review Received from SeQura 20 Nov 2026, 11:52",
        "Identification form shown to the customer 20 Nov 2026, 11:51",
        "Cart sent, payment methods received Sent to SeQura 20 Nov 2026, 11:50",
    ]


def test_old_problem_is_shown_among_many_entries(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry, make_entry: MakeEntry
) -> None:
    make_order()
    make_rejected(at=NOON.replace(year=2025))
    for _ in range(120):
        make_entry()
    html = panel.get("orders/250/").content.decode()
    assert "Needs attention" in html
    assert "Earlier entries are in the transaction log" in html


@pytest.mark.parametrize("entries", [0, 30])
def test_panel_takes_three_queries(
    panel: Panel,
    make_order: MakeOrder,
    make_rejected: MakeEntry,
    make_entry: MakeEntry,
    entries: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """BigCommerce is at port 9, where nobody answers: a call would take the page down."""
    make_order()
    make_rejected()
    for _ in range(entries):
        make_entry()
    with django_assert_max_num_queries(3):
        assert panel.get("orders/250/").status_code == 200


def test_corrections_cost_no_query_of_their_own(
    panel: Panel,
    make_order: MakeOrder,
    make_rejected: MakeEntry,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    order = make_order(corrected={"customer.email": "right@example.com"})
    make_rejected(event="correction", reason="corrected_by_sequra")
    row = Correction.objects.create(
        store=order.store,
        reference=order.reference,
        path="customer.email",
        ours="wrong@example.com",
        theirs="right@example.com",
        source="person",
        heard_by="ana@example.com",
        heard_at=NOON,
    )
    kept = Correction.objects.create(
        store=order.store,
        reference=order.reference,
        path="customer.email",
        theirs="first@example.com",
        decision="kept",
        decided_at=NOON,
        decided_by="luis@example.com",
        reached={"addresses": 2},
    )
    with django_assert_max_num_queries(3):
        html = panel.get("orders/250/").content.decode()
    for text in (
        "Customer: Email",
        "wrong@example.com",
        "right@example.com",
        "Entered by hand, ana@example.com",
        "20 Nov 2026, 12:00",
        f'action="/s/{panel.token}/orders/250/corrections/{row.pk}/apply"',
        "Decided corrections",
        "first@example.com",
        "kept and is sent to SeQura.",
        "2 addresses in the address book have it.",
        "luis@example.com",
    ):
        assert text in html
    assert html.count('class="correction"') == 2
    found = with_corrections(Order.objects.filter(pk=order.pk)).get()
    assert brought_along(found) == [row, kept]
    assert vars(brought_along(found)[0]) | {"_state": 0} == vars(row) | {"_state": 0}


def test_order_of_another_payment_method_gets_a_friendly_page(panel: Panel) -> None:
    reply = panel.get("orders/12/")
    assert reply.status_code == 200
    html = reply.content.decode()
    assert "Not a SeQura order" in html
    assert "before you installed this app" in html


def test_order_from_before_a_reinstallation_says_what_to_do(
    panel: Panel, make_order: MakeOrder
) -> None:
    make_order(password="")
    html = panel.get("orders/250/").content.decode()
    assert "This order's SeQura account isn't connected" in html
    assert f'href="/s/{panel.token}/connection/"' in html
    assert "<dd>Approved</dd>" in html


def test_settled_problem_moves_into_the_timeline(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry
) -> None:
    make_order()
    make_rejected(closed_at=timezone.now())
    html = panel.get("orders/250/").content.decode()
    assert "Needs attention" not in html
    assert "Resolved" in html


def test_comparison_without_bigcommerce_says_so(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry
) -> None:
    make_order()
    make_rejected()
    reply = panel.get("orders/250/compare/")
    assert reply.status_code == 200
    html = reply.content.decode()
    assert "BigCommerce didn&#x27;t respond." in html
    assert "/retry" in html
    assert "<table" not in html


def test_comparison_lays_the_three_side_by_side(merchant: Merchant) -> None:
    """BigCommerce's documents through the sandbox: a lamp at another price, not told yet."""
    order = merchant.order()
    lamp, _ = merchant.lines(order)
    merchant.acts("edit_order", order, lines=[{"id": lamp["id"], "price": "100.00"}])

    side = panel_for(merchant.store).get(f"orders/{order.bigcommerce_id}/compare/")

    text = " ".join(re.sub(r"<[^>]+>", " ", side.content.decode()).split())
    assert "LAMP-01 €100.00 1 unit €89.95 1 unit €100.00 1 unit Changed +€10.05" in text
    assert "CUP-6 €54.90 1 unit €54.90 1 unit €54.90 1 unit" in text
    assert "Still to ship – nothing €149.80 €159.85 Changed +€10.05" in text
    # Phones get the lines that differ, and a sentence in place of addresses that do not.
    assert tables(side.content.decode()) == ["table compare compare-differs"] * 2
    assert '<p class="narrow">BigCommerce and SeQura match.</p>' in side.content.decode()
    assert merchant.updates() == []


def test_comparison_of_an_order_that_sequra_cancelled_says_that_nothing_is_sent(
    merchant: Merchant,
) -> None:
    order = merchant.order()
    Order.objects.filter(pk=order.pk).update(status="cancelled")

    html = panel_for(merchant.store).get(f"orders/{order.bigcommerce_id}/compare/").content.decode()

    assert "SeQura cancelled this order, so no more updates are sent." in html
    assert "If that&#x27;s wrong, contact SeQura through its portal." in html
    assert "€89.95" in html
    assert "Changed" not in html
    assert tables(html) == ["table compare", "table compare"]


def test_phones_get_the_whole_table_where_nothing_of_it_differs(merchant: Merchant) -> None:
    """On narrow screens `compare-differs` leaves only the rows that differ, of that table alone."""
    order = merchant.order()
    merchant.acts("edit_billing_address", order, company="Otra, S. L.")

    html = panel_for(merchant.store).get(f"orders/{order.bigcommerce_id}/compare/").content.decode()

    assert tables(html) == ["table compare", "table compare compare-differs"]


def tables(html: str) -> list[str]:
    return re.findall(r'<table class="([^"]+)"', html)


def test_what_is_retried_without_anybody_needs_no_attention(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry
) -> None:
    make_order()
    make_rejected(outcome="delayed", reason="sequra_unavailable")
    html = panel.get("orders/250/").content.decode()
    assert "Needs attention" not in html
    assert "Retrying automatically" in html
    assert re.search(r'<button class="button button-small button-secondary">Retry<', html)
    assert re.search(r'<a class="button button-small button-secondary" [^>]+>Compare<', html)

    make_rejected(event="refund", statement="other")
    html = panel.get("orders/250/").content.decode()
    attention, retrying = html.index("Needs attention"), html.index("Retrying automatically")
    assert attention < html.index(">Refund <") < retrying


def test_a_dismissed_entry_says_when_it_comes_back(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry
) -> None:
    make_order()
    make_rejected(outcome="ignored", note="Agreed by phone", closed_at=timezone.now())
    page = panel.get("orders/250/").content.decode()
    assert " Agreed by phone</p>" in page
    assert ">It reappears if the order changes and SeQura rejects it again.</p>" in page


def test_panel_shows_sequra_s_decision_and_risk_level(panel: Panel, make_order: MakeOrder) -> None:
    order = make_order(reference=REFERENCE)
    Solicitation.objects.create(
        store=order.store,
        connection=order.connection,
        reference=REFERENCE,
        checkout_id="c",
        token_digest="d",
        order={},
        fingerprint="f",
        amount=11089,
        currency="EUR",
        country="ES",
        state="approved",
        risk_level="high_risk",
        notified_at=NOON,
    )

    html = panel.get("orders/250/").content.decode()

    for text in ("<dt>SeQura&#x27;s decision</dt>", "<dt>Risk level</dt>", "<dd>High</dd>"):
        assert text in html.replace("SeQura's", "SeQura&#x27;s")


def item(reference: str, total: int, quantity: int = 1) -> dict[str, Any]:
    return {
        "type": "product",
        "reference": reference,
        "name": f"Shoe {reference}",
        "quantity": quantity,
        "total_with_tax": total,
    }


def test_each_line_is_shown_as_approved_as_held_and_as_refunded() -> None:
    solicited = {"cart": {"items": [item("A", 6000, 3), item("B", 2500)]}}
    refund = {"type": "other_payment", "reference": "r_7", "name": "Refund", "total_with_tax": -500}
    accepted = {
        "unshipped_cart": {"items": [item("A", 2000)]},
        "shipped_cart": {"items": [item("A", 2000), item("C", 900), refund]},
    }

    rows = {row.reference: row for row in standing(solicited, accepted)}

    taken = {reference: row.taken_back for reference, row in rows.items()}
    assert taken == {"A": 2000, "B": 2500, "C": 0, "r_7": 500}
    assert rows["A"].accepted is not None
    assert (rows["A"].accepted.units, rows["A"].accepted.shipped) == (2, 1)
    # What was not taken back, and what was added, is what SeQura still asks for.
    held = sum(row.accepted.amount for row in rows.values() if row.accepted)
    assert held == sum(row.shop.amount for row in rows.values() if row.shop) - 5000 + 900


def test_a_return_offers_to_record_the_refund(
    panel: Panel, make_order: MakeOrder, make_entry: MakeEntry
) -> None:
    make_order(reference=REFERENCE)
    make_entry(
        event="return", outcome="rejected", reason="return_reported", closed_at=None,
        reference=REFERENCE,
    )  # fmt: skip

    html = panel.get("orders/250/").content.decode()

    assert "Record this refund" in html
    assert "Decision needed" in html
    assert ">Retry<" not in html


def test_the_timeline_names_who_pressed_a_button(
    panel: Panel, make_order: MakeOrder, make_entry: MakeEntry
) -> None:
    make_order(reference=REFERENCE)
    make_entry(event="retry", ignored_by="ana@example.com")
    make_entry(event="correction", reason="correction_kept", ignored_by="luis@example.com")

    html = panel.get("orders/250/").content.decode()

    assert "By ana@example.com" in html
    assert "By luis@example.com" in html


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 200, "json": {"order": {"state": "confirmed"}}}, "current state: confirmed"),
        ({"status": 200, "json": {"state": "<b>on_hold</b>"}}, "current state: &lt;b&gt;on_hold"),
        ({"status": 200, "json": [1]}, "gives apps no current state"),
        ({"status": 404}, "gives apps no current state"),
        ({"status": 405}, "gives apps no current state"),
        ({"status": 500}, "respond. Open the order"),
        ({"status": 200, "body": "<html>"}, "respond. Open the order"),
    ],
)
@responses.activate
def test_the_current_state_is_asked_for_and_a_no_is_survived(
    panel: Panel, make_order: MakeOrder, answer: dict[str, Any], sentence: str
) -> None:
    order = make_order(reference=REFERENCE)
    order.connection.api_url = "https://sequra.example/"
    order.connection.save()
    responses.get(f"https://sequra.example/orders/{REFERENCE}", **answer)

    assert "Ask SeQura now" in panel.get("orders/250/").content.decode()
    assert len(responses.calls) == 0
    assert sentence in panel.get("orders/250/?live=1").content.decode()


def test_the_units_of_a_line_are_shown_in_each_of_its_parcels(merchant: Merchant) -> None:
    order = merchant.order(lines=[{"product_id": 102, "quantity": 3}])
    (lamp,) = merchant.lines(order)
    two, one = ([{"order_product_id": lamp["id"], "quantity": units}] for units in (2, 1))
    merchant.acts("ship", order, items=two, tracking_number="ES123", carrier="seur")
    merchant.does("ship", order, items=one)

    html = panel_for(merchant.store).get(f"orders/{order.bigcommerce_id}/").content.decode()

    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    name = lamp["name"]
    assert f"Parcels SEUR ES123 2 × {name} Without tracking 1 × {name} Timeline" in text


def test_only_the_first_problem_has_a_main_button_and_it_is_what_the_text_advises(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry
) -> None:
    make_order(amount=11_089)
    make_rejected(event="edit", unshipped=20_089, shipped=0)
    make_rejected(event="ship", unshipped=0, shipped=20_089)
    page = panel.get("orders/250/").content.decode()
    main = re.findall(r'<(?:a|button) class="button button-small"[^>]*>(\w+)', page)

    assert main == ["Compare"]
    assert re.findall(r'class="button button-small"', panel.get("log/").content.decode()) == []


def test_a_rejection_that_a_retried_update_settles_asks_for_nothing(
    panel: Panel, make_order: MakeOrder, make_entry: MakeEntry, make_rejected: MakeEntry
) -> None:
    make_order(amount=11_089)
    make_rejected(event="edit", unshipped=20_089, shipped=0)
    asks, waits = "Lower the total by", "retrying a later change that resolves this entry"
    for path in ("orders/250/", "log/"):
        page = panel.get(path).content.decode()
        assert (asks in page, waits in page) == (True, False)
    make_entry(event="cancel", outcome="delayed", reason="sequra_unavailable")
    for path in ("orders/250/", "log/"):
        page = panel.get(path).content.decode()
        assert (asks in page, waits in page) == (False, True)


def test_sequra_s_message_is_one_click_away_where_the_sentence_says_it(
    panel: Panel, make_order: MakeOrder, make_rejected: MakeEntry
) -> None:
    make_order(amount=11_089)
    words = "but the approved amount is 11089"
    make_rejected(event="edit", unshipped=20_089, shipped=0, words=words)
    assert re.search(rf"<details[^>]*><summary>[^<]+</summary><p[^>]*>{words}", panel_text(panel))
    make_rejected(event="edit", unshipped=5_000, shipped=0, words="Something else")
    assert "SeQura:</span> Something else" in panel_text(panel)


def panel_text(panel: Panel) -> str:
    return str(panel.get("orders/250/").content.decode())
