"""Pages of shops as three kinds of theme draw them, for the script of promotional widgets.

In `pages`: product, cart and list as Cornerstone 6 draws them; the same without any class,
attribute or data of BigCommerce's own theme; and Catalyst, where React owns the page and changes it
without a load.
"""

from base64 import b64encode
from hashlib import sha384
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.browser.scripted import SCRIPTS, STORE, Answer, World

SCRIPT = "sequra-widgets.js"
FOLDER = Path(__file__).parent / "pages"
CARTS = [
    {
        "id": "c1",
        "currency": {"code": "EUR"},
        "cartAmount": 389,
        "lineItems": {
            "physicalItems": [{"productId": 101, "sku": "CHAIR-CB"}],
            "digitalItems": [],
        },
    }
]
METHOD: dict[str, Any] = {"product": "pp3", "campaign": None, "min": 5000, "max": 300000}


def markup(name: str) -> str:
    return (FOLDER / f"{name}.html").read_text()


class WidgetWorld(World):
    """A shop with one page per path, and an app whose answer tests change."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, str] = {
            "/product": markup("product"),
            "/cart.php": markup("cart"),
            "/living-room": markup("listing"),
            "/catalyst": markup("catalyst"),
        }
        self.places = "product,cart,listing"
        self.more = ""  # of the script's address
        self.load_method = "defer"
        self.carts: list[Any] | None = CARTS
        self.targets: list[tuple[str, str]] = []
        self.widgets = (SCRIPTS / SCRIPT).read_bytes()
        self.shown: dict[str, Any] = {
            "methods": [METHOD],
            "configuration": (self.info or {})["configuration"],
            "theme": {"alignment": "left"},
            "selector": "",
            "price_selector": "",
            "texts": ["Desde %s/mes", "Fracciona a partir de %s"],
            "only": None,
            "by_sku": False,
        }

    def shop(self, _method: str, path: str, *_more: Any) -> Answer:
        if path == "/api/storefront/carts":
            return Answer(404) if self.carts is None else Answer(body=self.carts)
        if path not in self.pages:
            return Answer(404)
        digest = b64encode(sha384(self.widgets).digest()).decode()
        source = (
            f"{self.url('app')}/static/storefront/{SCRIPT}?store={STORE}&channel=1"
            f"&places={self.places}{self.more}"
        )
        script = (
            f'<script src="{source}" {self.load_method} integrity="sha384-{digest}"'
            ' crossorigin="anonymous"></script>'
        )
        return Answer(body=self.pages[path] + script, kind="text/html; charset=utf-8")

    def answer(
        self, host: str, method: str, target: str, raw: bytes, headers: dict[str, str]
    ) -> Answer:
        path, _, query = target.partition("?")
        self.targets.append((path, query))
        return super().answer(host, method, target, raw, headers)

    def app_answer(self, method: str, path: str) -> Answer:
        if path == f"/storefront/{STORE}/widgets":
            return Answer(body=self.shown)
        return super().app_answer(method, path)

    def queries(self, ending: str) -> list[dict[str, list[str]]]:
        """What the app was asked with, in the order of the questions."""
        return [parse_qs(query) for path, query in self.targets if path.endswith(ending)]

    def asked(self) -> int:
        return len(self.called("app", "/widgets", "GET"))

    def loads_of_sequra(self) -> int:
        return len(self.called("sequra", "/sequra-checkout.min.js", "GET"))
