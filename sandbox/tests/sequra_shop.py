"""A hand-made shop for the pretend SeQura: its orders, its requests, and its ears."""

import threading
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import requests

Document = dict[str, Any]
SIGNATURE = "5f2b9d6c0d3e4a1b"
UUID = "[0-9a-f-]{36}"


def product(reference: str, price: int, quantity: int = 1, **more: Any) -> Document:
    return {
        "type": "product",
        "reference": reference,
        "name": f"Artículo {reference}",
        "price_with_tax": price,
        "quantity": quantity,
        "total_with_tax": price * quantity,
        "downloadable": False,
        **more,
    }


def line(kind: str, reference: str, amount: int) -> Document:
    return {"type": kind, "reference": reference, "name": reference, "total_with_tax": amount}


def cart(*items: Document) -> Document:
    total = sum(item["total_with_tax"] for item in items)
    return {"currency": "EUR", "gift": False, "order_total_with_tax": total, "items": list(items)}


SHIRT, SHOES = product("SHIRT-M", 2499, 2), product("SHOES-42", 8995)
SHIPPING = line("handling", "shipping", 495)
COUPON, CREDIT = line("discount", "WELCOME10", -1399), line("other_payment", "credit", -2000)
ADDRESS = {
    "given_names": "Fulano",
    "surnames": "De Tal",
    "company": "",
    "address_line_1": "Carrer d'Alí Bei, 7",
    "address_line_2": "",
    "postal_code": "08010",
    "city": "Barcelona",
    "country_code": "ES",
    "mobile_phone": "666666666",
}
PLATFORM = {
    "name": "BigCommerce",
    "version": "v3",
    "plugin_version": "1.0.0",
    "uname": "Linux",
    "db_name": "postgresql",
    "db_version": "16.4",
}
CUSTOMER = {
    "given_names": "Fulano",
    "surnames": "De Tal",
    "email": "test@sequra.es",
    "logged_in": True,
    "language_code": "es-ES",
    "ip_number": "203.0.113.7",
    "user_agent": "Mozilla/5.0",
    "ref": "10457",
    "previous_orders": [
        {"created_at": "2025-11-17T10:18:21+00:00", "amount": 8000, "currency": "EUR"}
    ],
}
PARTIES: Document = {
    "delivery_method": {"name": "Envío estándar", "home_delivery": True},
    "delivery_address": ADDRESS,
    "invoice_address": dict(ADDRESS),
    "customer": CUSTOMER,
    "platform": PLATFORM,
}


def solicitation(shop: str = "https://app.example.com") -> Document:
    """110.89 €: two products, shipping, a coupon and store credit."""
    parameters = {"cartId": "b20a5d1e", "signature": SIGNATURE}
    return deepcopy(
        {
            "state": "",
            "merchant": {
                "id": "demo_es",
                "notify_url": f"{shop}/notification/t0ken",
                "notification_parameters": parameters,
                "return_url": f"{shop}/return?product=SQ_PRODUCT_CODE",
                "events_webhook": {"url": f"{shop}/event/t0ken", "parameters": parameters},
                "options": {"has_jquery": False},
            },
            "cart": {
                **cart(SHIRT, SHOES, SHIPPING, COUPON, CREDIT),
                "cart_ref": "b20a5d1e",
                "created_at": "2026-03-02T10:11:12+01:00",
            },
            "gui": {"layout": "desktop"},
            **PARTIES,
        }
    )


def confirmation(found: Document, state: str = "confirmed", reference: str = "") -> Document:
    """The order as solicited, with a state and, when known, the shop's reference."""
    order = {**deepcopy(found), "state": state}
    if reference:
        order["merchant_reference"] = {"order_ref_1": reference, "order_ref_2": "x-2"}
    return order


def update(reference: str, unshipped: Document, shipped: Document) -> Document:
    return deepcopy(
        {
            "merchant": {"id": "demo_es"},
            "merchant_reference": {"order_ref_1": reference},
            "unshipped_cart": unshipped,
            "shipped_cart": shipped,
            **PARTIES,
        }
    )


@dataclass
class Client:
    """Speaks to the pretend SeQura as a shop that makes any mistake it likes."""

    url: str
    username: str = "demo"
    password: str = "demo-secret"
    merchant: str = "demo_es"
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One request; a header given as "" is left out."""
        sent = {"Sequra-Merchant-Id": self.merchant, "Accept": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(
            method,
            f"{self.url}/{path}",
            json=body,
            headers={name: value for name, value in sent.items() if value},
            auth=(self.username, self.password),
            timeout=60,
        )

    def solicit(self, order: Document) -> str:
        """The uuid of a new order."""
        answer = self.call("POST", "orders", {"order": order})
        assert answer.status_code == 204, answer.text
        return answer.headers["Location"].rsplit("/", 1)[1]

    def put(self, uuid: str, order: Document) -> requests.Response:
        return self.call("PUT", f"orders/{uuid}", {"order": order})

    def update(self, reference: str, order: Document, **headers: str) -> requests.Response:
        path = f"merchants/{self.merchant}/orders/{reference}"
        return self.call("PUT", path, {"order": order}, **headers)

    def control(self, path: str, body: Any = None) -> Any:
        answer = self.session.post(f"{self.url}/_control/{path}", json=body or {}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def drive(self, uuid: str, action: str, **body: Any) -> Document:
        """Move an order; the answer is the order afterwards."""
        found: Document = self.control(f"sequra/orders/{uuid}/{action}", body)
        return found

    def order(self, uuid: str) -> Document:
        found: Document = self.session.get(
            f"{self.url}/_control/sequra/orders/{uuid}", timeout=60
        ).json()
        return found

    def confirmed(self, order: Document, reference: str) -> str:
        """The uuid of an order that went all the way to its reference."""
        uuid = self.solicit(order)
        self.drive(uuid, "approve")
        answer = self.put(uuid, confirmation(order, "confirmed", reference))
        assert answer.status_code == 200, answer.text
        return uuid


@dataclass
class Heard:
    """A message that SeQura sent to the shop."""

    path: str
    fields: dict[str, str]
    headers: dict[str, str]


class Shop:
    """The shop's own server: keeps what it hears, answers with `answers` in turn, then 200."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[int] = []
        self.news = threading.Condition()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = dict(parse_qsl(text, keep_blank_values=True))
                status = shop.hear(Heard(self.path, fields, dict(self.headers.items())))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                """Keep the test's output to itself."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def hear(self, message: Heard) -> int:
        with self.news:
            self.heard.append(message)
            self.news.notify_all()
            return self.answers.pop(0) if self.answers else 200

    def wait_for(self, count: int) -> list[Heard]:
        """The messages, once there are that many."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.heard) >= count, timeout=60), self.heard
            return list(self.heard)

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
