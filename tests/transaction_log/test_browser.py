"""The log and the side panel in a real browser: at every width, and with what needs a script."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from orders.models import Correction, Order
from stores.models import Connection, PanelUser, Store
from tests.stores.conftest import Panel, panel_for
from tests.transaction_log.conftest import NOON, make_store
from transaction_log.models import Entry

# A telephone, the side panel at its narrowest (45 % of 1440), a laptop, and the whole page.
WIDTHS = (390, 648, 1280, 1440)
ONE_LINE = 40  # px: the height of a button whose words are not broken
LOCALES = ("en-US", "es-ES", "fr-FR", "it-IT", "pt-PT")
ENTRIES = 2500


def entry(store: Store, number: int, **fields: object) -> Entry:
    given = {
        "store": store,
        "bigcommerce_id": number,
        "payment_method": "SeQura - Paga Fraccionado",
        "event": "ship",
        "outcome": "accepted",
        "at": NOON,
        "closed_at": NOON,
    }
    return Entry(**{**given, **fields})


@pytest.fixture
def shop(transactional_db: None) -> Panel:
    """Many entries; order 250 has a problem with long words in it."""
    store = make_store("abc123")
    connection = Connection.objects.create(
        store=store, deployment="sequra", environment="sandbox", username="u", password="p"
    )
    order = Order.objects.create(
        store=store,
        connection=connection,
        merchant_ref="zapateria_del_norte_espana",
        bigcommerce_id=250,
        reference="0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a",
        order_ref_1="abc123-250",
        status="without_reference",
        payment_method="SeQura - Paga Fraccionado",
        amount=123456789,
        ledger={"parcels": {"7": {"line_whose_reference_is_as_long_as_they_may_be" * 3: 12}}},
    )
    Correction.objects.create(
        store=store,
        reference=order.reference,
        path="delivery_address.address_line_1",
        ours="Carrer_de_l_Encarnacio_sense_espais_" * 6,
        theirs="Carrer_de_Mallorca_sense_espais_" * 6,
        decision="applied",
        decided_at=NOON,
        decided_by="somebody.with.a.long.name@a-long-domain-of-a-merchant.example.com",
        reached={"account": True, "addresses": 2},
    )
    Entry.objects.bulk_create(entry(store, number) for number in range(1000, 1000 + ENTRIES - 1))
    words = "unshipped_cart.items[0].total_with_tax_is_not_what_it_should_be " * 5
    problem = {"outcome": "rejected", "reason": "sequra_409", "words": words, "closed_at": None}
    entry(store, 250, **problem).save()
    return panel_for(store)


def opened(browser: Browser, live_app: str, panel: Panel, path: str, width: int) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    errors: list[str] = []
    page.goto(f"{live_app}/s/{panel.token}/{path}")
    assert errors == []
    return page


CUT_OR_BROKEN = """(high) => {
  const shown = (pattern) => [...document.querySelectorAll(pattern)].filter(
    (one) => one.checkVisibility());
  return {
    too_wide: Math.max(0, document.documentElement.scrollWidth - innerWidth),
    cut: shown(".badge, .button").filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => one.innerText),
    broken: shown(".log .button").filter((one) => one.getBoundingClientRect().height > high)
      .map((one) => one.innerText),
  };
}"""


@pytest.mark.parametrize("locale", LOCALES)
def test_nothing_runs_out_of_the_page(
    shop: Panel, live_app: str, browser: Browser, locale: str
) -> None:
    """Every page is loaded at one width, and made narrower and wider: its CSS asks nothing else."""
    PanelUser.objects.filter(pk=shop.user.pk).update(locale=locale)
    page, found, errors = opened(browser, live_app, shop, "", WIDTHS[0]), {}, list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    for path in ("log/", "log/?q=250", "log/?q=x", "orders/250/", "orders/9/"):
        page.goto(f"{live_app}/s/{shop.token}/{path}")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found[path, width] = page.evaluate(CUT_OR_BROKEN, ONE_LINE)
    fine = {"too_wide": 0, "cut": [], "broken": []}
    assert {where: what for where, what in found.items() if what != fine} == {}
    assert errors == []
    page.context.close()


def test_side_panel_s_tabs_fit_and_lead_back(shop: Panel, live_app: str, browser: Browser) -> None:
    side = panel_for(shop.store, side_panel_of=250)
    for width in WIDTHS:
        page = opened(browser, live_app, side, "orders/250/", width)
        page.get_by_role("link", name="Transaction log", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Transaction log")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        page.get_by_role("link", name="Order 250", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Order 250")
        page.context.close()


def test_reference_is_copied(shop: Panel, live_app: str, browser: Browser) -> None:
    page = opened(browser, live_app, shop, "orders/250/", 648)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a"
    page.context.close()


def test_export_shows_how_far_it_is_and_saves_the_file(
    shop: Panel, live_app: str, browser: Browser, tmp_path: Path
) -> None:
    page = opened(browser, live_app, shop, "log/", 1440)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    expect(page.get_by_text("Export finished: 2,500 entries")).to_be_visible()
    assert page.locator("progress").evaluate("bar => bar.value") == 100
    assert download.value.suggested_filename.startswith("sequra-abc123-")
    target = tmp_path / "log.csv"
    download.value.save_as(target)
    rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig"), newline="")))
    assert len(rows) == ENTRIES
    assert {"250", "1000"} <= {row["Order"] for row in rows}
    page.context.close()


def test_export_is_a_plain_link_without_a_script(
    shop: Panel, live_app: str, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_app}/s/{shop.token}/log/?q=250")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    text = download.value.path().read_text("utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(text, newline="")))) == 1
    context.close()


def test_entry_is_ignored_with_the_keyboard_alone(
    shop: Panel, live_app: str, browser: Browser
) -> None:
    page = opened(browser, live_app, shop, "log/?outcome=needs_you", 1440)
    page.locator(".ignore summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Settled by phone")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Dismissed. You can still find it in the log.")).to_be_visible()
    expect(page.get_by_text("No entries match")).to_be_visible()
    saved = Entry.objects.get(bigcommerce_id=250)
    assert (saved.outcome, saved.note) == ("ignored", "Settled by phone")
    page.context.close()
