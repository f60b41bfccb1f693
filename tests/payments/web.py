"""The app's own addresses, asked as the shop's browser and as SeQura would."""

from typing import Any

import requests

from payments.models import Solicitation
from tests.payments.shop import Shop

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Chrome/150"


class Web:
    """`url` is where the app really listens."""

    def __init__(self, url: str, shop: Shop) -> None:
        self.url, self.shop = url, shop

    def storefront(self, path: str) -> str:
        return f"{self.url}/storefront/{self.shop.store.public_id}/{path}"

    def post(
        self, path: str, *, headers: dict[str, str] | None = None, **body: Any
    ) -> requests.Response:
        sent = {"Origin": self.shop.origin, "User-Agent": BROWSER} | (headers or {})
        return requests.post(self.storefront(path), json=body, headers=sent, timeout=60)

    def notify(self, solicitation: Solicitation, state: str = "approved") -> requests.Response:
        body = {
            "order_ref": str(solicitation.reference),
            "product_code": "pp3",
            "sq_state": state,
            "signature": solicitation.signature,
        }
        address = f"{self.url}/sequra/notification/{solicitation.token}"
        return requests.post(address, data=body, timeout=60)

    def event(self, solicitation: Solicitation, event: str, **more: str) -> requests.Response:
        body = {
            "event": event,
            "order_ref": str(solicitation.reference),
            "m_signature": solicitation.signature,
        }
        address = f"{self.url}/sequra/event/{solicitation.token}"
        return requests.post(address, data=body | more, timeout=60)

    def status(self, solicitation: Solicitation) -> requests.Response:
        return requests.get(f"{self.url}/return/{solicitation.public_id}/status", timeout=60)


def offered(web: Web, shop: Shop, **wishes: Any) -> dict[str, Any]:
    checkout_id = shop.sandbox.checkout(**wishes)["checkout_id"]
    answer = web.post("payment-methods", checkout_id=checkout_id)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
