"""An order of 100 lines, read into the statement for SeQura, beside parsing the same bytes."""

import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any

from local.bench.runner import Effort, Figures, Goal, Measure, Part, Servers
from local.servers import ROOT
from orders.models import Order
from orders.sync.snapshot import read_snapshot
from orders.sync.sync import Reading, reading_of
from stores.models import Store

LINES = 100
# Fields of a product that BigCommerce documents and our fixtures leave out: they have to be parsed.
FURTHER = {
    "upc": "1234567891112", "base_total": "55.9900", "weight": "1.0000", "width": "1.0000",
    "height": "1.0000", "depth": "1.0000", "base_cost_price": "50.0000",
    "cost_price_inc_tax": "50.0000", "cost_price_ex_tax": "50.0000", "cost_price_tax": "0.0000",
    "return_id": 0, "base_wrapping_cost": "0.0000", "wrapping_cost_tax": "0.0000",
    "fixed_shipping_cost": "5.0000", "ebay_item_id": "", "ebay_transaction_id": "",
    "option_set_id": 19, "bin_picking_number": "", "external_id": None, "brand": "Luz de Sol",
    "configurable_fields": [], "gift_certificate_id": None,
}  # fmt: skip
CONTROL, PRODUCT = "json.loads", "reading of the order"


def whole_order(lines: int) -> dict[str, Any]:
    """Return an order with so many lines, as BigCommerce shows it with everything included."""
    golden = _json("tests/payloads/orders/placed/snapshot.json")
    (usual, *_) = _json("tests/clients/fixtures/bigcommerce/order_products.json")
    products = []
    for number in range(lines):
        like = golden["products"][number % len(golden["products"])]
        own = {"id": 1000 + number, "product_id": 100 + number, "sku": f"SKU-{number:04d}"}
        products.append(copy.deepcopy({**FURTHER, **usual, **like, **own}))
    paid = sum(float(product["discounted_total_inc_tax"]) for product in products)
    order = {**_json("tests/clients/fixtures/bigcommerce/order.json"), **golden["order"]}
    return {
        **order,
        "total_inc_tax": f"{paid + float(order['shipping_cost_inc_tax']):.4f}",
        "items_total": sum(int(product["quantity"]) for product in products),
        "items_shipped": 0,
        "shipping_address_count": 1,
        "fees": [],
        "consignments": {
            "pickups": [],
            "shipping": [{**golden["shipping_addresses"][0], "line_items": products}],
            "downloads": [],
            "email": {"gift_certificates": []},
        },
    }


def _json(path: str) -> Any:
    return json.loads((ROOT / path).read_text())


class Shop:
    """BigCommerce's client without its calls."""

    def __init__(self, order: dict[str, Any], digest: str) -> None:
        self._whole = order, digest

    def whole_order(self, _: int) -> tuple[dict[str, Any], str]:
        return self._whole

    def refunds(self, _: int) -> list[Any]:
        return []


def _measured(work: Callable[[], object], effort: Effort) -> Figures:
    work()
    times, began = 0, time.process_time()
    while (used := time.process_time() - began) < effort.seconds:
        work()
        times += 1
    return {"µs": used / times * 1e6}


@contextmanager
def _variants(_: Servers, effort: Effort) -> Iterator[Mapping[str, Measure]]:
    raw = json.dumps(whole_order(LINES)).encode()
    shop: Any = Shop(json.loads(raw), sha256(raw).hexdigest())
    order = Order(store=Store(), merchant_ref="demo_es", bigcommerce_id=250, order_ref_1="250")

    def read() -> Reading:
        return reading_of(order, read_snapshot(shop, 250, has_shipments=False))

    order.accepted_update = accepted = read().update

    def everything() -> None:
        """Do what a synchronisation computes of the document: the last comparison included."""
        if read().update != accepted:
            raise AssertionError("the same order is another statement")

    yield {
        CONTROL: partial(_measured, lambda: json.loads(raw), effort),
        PRODUCT: partial(_measured, everything, effort),
    }


PART = Part(
    title=f"processor time of an order with {LINES} lines",
    full=Effort(rounds=7, seconds=1, quick=False),
    quick=Effort(rounds=3, seconds=0.5, quick=True),
    variants=_variants,
    control=(CONTROL, "µs"),
    columns={"µs": ".0f"},
    goals=(
        Goal(
            "P6",
            "everything that a synchronisation computes ÷ json.loads of the order",
            0.7,
            lambda found: found[PRODUCT]["µs"] / found[CONTROL]["µs"],
        ),
    ),
)
