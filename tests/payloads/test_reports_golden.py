"""Every golden case of the delivery report, and that SeQura's rules hold in each."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.codes import device_code, status_code
from payloads.reports import _inconsistencies
from tests.payloads.reports_golden import folders, report_of

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
PARTS = ("shipped_cart", "unshipped_cart", "delivery_address", "customer", "merchant_reference")


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_report_is_the_golden_one(folder: Path) -> None:
    assert report_of(folder) == json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_carts_of_reported_orders_add_up(folder: Path) -> None:
    for cart in carts(report_of(folder)["report"]):
        assert cart["order_total_with_tax"] == sum(i["total_with_tax"] for i in cart["items"])


def carts(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for order in report["orders"]:
        yield from (order["cart"], order["remaining_cart"])


@given(st.dictionaries(st.sampled_from(PARTS), ANYTHING))
@pytest.mark.slow
def test_nonsense_is_inconsistent_and_breaks_nothing(update: dict[str, Any]) -> None:
    assert _inconsistencies(update)


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/133.0 Safari/537.36", "computer"),
        ("Mozilla/5.0 (X11; Linux x86_64) Firefox/134.0", "computer"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/133.0 Mobile Safari/537.36", "phone"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148", "phone"),
        ("Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (Linux; Android 13; SM-X700) Chrome/133.0 Safari/537.36", "tablet"),
        ("curl/8.5", "other"),
        ("", "other"),
    ],
)
def test_device_code(user_agent: str, kind: str) -> None:
    assert device_code(user_agent) == kind


@pytest.mark.parametrize(
    ("status", "code"),
    [(2, "shipped"), (3, "shipped"), (10, "shipped"), (5, "cancelled"), (11, "processing")],
)
def test_status_code(status: int, code: str) -> None:
    assert status_code(status) == code
