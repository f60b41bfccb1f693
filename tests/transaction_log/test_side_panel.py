"""The same pages in BigCommerce's side panel: the order and the log as two tabs, no navigation."""

import pytest

from stores.models import Store
from tests.stores.conftest import Panel, panel_for
from tests.transaction_log.conftest import MakeEntry, MakeOrder

NAVIGATION = "Availability"
CURRENT = 'aria-current="page"'


@pytest.fixture
def side(store: Store) -> Panel:
    """Opened from the Action menu of order 250."""
    return panel_for(store, side_panel_of=250)


def tabs(html: str) -> str:
    return html.split('<nav class="tabs"')[1].split("</nav>", maxsplit=1)[0]


def tab(side: Panel, path: str, words: str, mark: str = "") -> str:
    mark = f" {mark}" if mark else ""
    return f'<a class="tab" href="/s/{side.token}/{path}"{mark}>{words}</a>'


def test_order_and_log_are_tabs_of_the_side_panel(side: Panel, make_order: MakeOrder) -> None:
    make_order()
    order, log = (side.get(path).content.decode() for path in ("orders/250/", "log/"))
    for html in (order, log):
        assert NAVIGATION not in html
        assert "SeQura for BigCommerce" not in html
    assert tab(side, "orders/250/", "Order 250", CURRENT) in tabs(order)
    assert tab(side, "log/", "Transaction log") in tabs(order)
    assert tab(side, "orders/250/", "Order 250") in tabs(log)
    assert tab(side, "log/", "Transaction log", CURRENT) in tabs(log)


def test_tabs_are_there_for_an_order_of_another_payment_method(side: Panel) -> None:
    html = side.get("orders/250/").content.decode()
    assert "Not a SeQura order" in html
    assert tab(side, "log/", "Transaction log") in tabs(html)


def test_log_in_the_side_panel_has_everything_but_the_setting(
    side: Panel, make_rejected: MakeEntry
) -> None:
    entry = make_rejected(bigcommerce_id=251)
    html = side.get("log/").content.decode()
    for text in (
        "The sum of the items is 11088",
        "1 order update needs your attention",
        "Export CSV",
        f'action="/s/{side.token}/log/{entry.pk}/ignore"',
        f'href="/s/{side.token}/orders/251/"',
    ):
        assert text in html
    assert "Log retention" not in html


def test_another_order_is_seen_without_losing_the_first(side: Panel, make_order: MakeOrder) -> None:
    make_order(bigcommerce_id=251)
    html = side.get("orders/251/").content.decode()
    assert "<h1>Order 251</h1>" in html
    assert tab(side, "orders/250/", "Order 250") in tabs(html)


def test_comparison_stands_behind_the_order_s_tab(side: Panel, make_order: MakeOrder) -> None:
    make_order()
    html = side.get("orders/250/compare/").content.decode()
    assert tab(side, "orders/250/", "Order 250", 'aria-current="true"') in tabs(html)


def test_the_app_s_own_page_keeps_its_navigation_on_an_order(
    panel: Panel, make_order: MakeOrder
) -> None:
    make_order()
    html = panel.get("orders/250/").content.decode()
    assert NAVIGATION in tabs(html)
    assert tab(panel, "orders/", "Orders", 'aria-current="true"') in tabs(html)


def test_ignoring_in_the_side_panel_leads_back_to_its_log(
    side: Panel, make_rejected: MakeEntry
) -> None:
    entry = make_rejected()
    reply = side.post(
        f"log/{entry.pk}/ignore", {"note": "known", "page": "transaction_log", "query": "q=250"}
    )
    assert reply.url == f"/s/{side.token}/log/?q=250&done=ignored&about=250"
