"""A shopper in Spain who uses HTTP instead of a browser: shop, app, SeQura's form.

Every request goes where the browser's would go, to the same host names and with the same headers.
"""

import base64
import hashlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import requests

PHONE = "612345678"
PERSON = {
    "given_names": "Ana",
    "surnames": "García Prieto",
    "mobile_phone": PHONE,
    "date_of_birth": "07/03/1988",
    "nin": "12345678Z",
    "privacy": True,
}
ADDRESS = {
    "email": "ana@example.com",
    "first_name": "Ana",
    "last_name": "García Prieto",
    "address1": "Calle de Fuencarral 12, 3.º B",
    "city": "Madrid",
    "state_or_province": "Madrid",
    "postal_code": "28004",
    "country_code": "ES",
    "phone": PHONE,
}
MAKING_AN_ORDER = 30  # seconds


class Stuck(Exception):
    """A step of the purchase failed; the message names it."""


@dataclass
class Shopper:
    """`shop` and `app` are origins as a browser writes them, such as `http://shop.localhost:8100`."""

    shop: str
    certificate: Path | None = None  # of the app's TLS proxy
    http: requests.Session = field(default_factory=requests.Session, repr=False)
    cookies: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.http.trust_env = False
        if self.certificate:
            self.http.verify = str(self.certificate)

    def ask(self, method: str, address: str, **more: Any) -> requests.Response:
        """One request, with the cookies of that host. `*.localhost` is this machine."""
        url = urlsplit(address)
        jar = self.cookies.setdefault(url.netloc, {})
        headers = {"Host": url.netloc, **more.pop("headers", {})}
        reply = self.http.request(
            method,
            urlunsplit(url._replace(netloc=f"127.0.0.1:{url.port}")),
            headers=headers,
            cookies=jar,
            timeout=30,
            allow_redirects=False,
            **more,
        )
        jar.update(reply.cookies)
        self.http.cookies.clear()
        if reply.status_code >= 400:
            raise Stuck(f"{method} {url.path} answered {reply.status_code}: {reply.text[:300]}")
        return reply

    # --- In the shop -----------------------------------------------------------------------------

    def products(self) -> list[int]:
        """The numbers of what the first page shows."""
        page = self.ask("GET", f"{self.shop}/").text
        return sorted({int(number) for number in re.findall(r'href="/products/(\d+)"', page)})

    def fill_cart(self, *products: int) -> None:
        for product in products:
            self.ask("POST", f"{self.shop}/cart/add", data={"product_id": product, "qty[]": 1})

    def go_to_checkout(self) -> str:
        """Gives the address; the page of the payment step, as the browser gets it."""
        page = self.ask("GET", f"{self.shop}/checkout").text
        self.checkout_id = found(r'data-checkout-id="([0-9a-f-]{36})"', page, "checkout")
        self.ask("POST", f"{self.shop}/checkout/{self.checkout_id}/address", json=ADDRESS)
        return page

    def load_script(self, page: str) -> str:
        """Our script on that page, held against its integrity hash. Returns its file name."""
        tag = found(r'(<script[^>]*src="[^"]*sequra-checkout[^>]*>)', page, "our script")
        source = found(r'src="([^"]+)"', tag, "address").replace("&amp;", "&")
        script = self.ask("GET", source, headers={"Origin": self.shop})
        hashes = found(r'integrity="([^"]*)"', tag, "integrity hash").split()
        digest = base64.b64encode(hashlib.sha384(script.content).digest()).decode()
        if f"sha384-{digest}" not in hashes:
            raise Stuck("the script is not the one that was registered")
        url = urlsplit(source)
        public_id = parse_qs(url.query)["store"][0]
        self.api = f"{url.scheme}://{url.netloc}/storefront/{public_id}"
        return url.path.rpartition("/")[2]

    # --- At our app ------------------------------------------------------------------------------

    def payment_methods(self) -> list[dict[str, Any]]:
        claim = {"checkout_id": self.checkout_id, "layout": "desktop", "locale": "es-ES"}
        answer = self._post("payment-methods", claim)
        self.solicitation = answer["solicitation"]
        if not answer["methods"]:
            raise Stuck(f"SeQura is not offered: {answer['reasons']}")
        return list(answer["methods"])

    def open_form(self, method: dict[str, Any]) -> str:
        """The identification form; returns the address of SeQura's page in it."""
        choice = {
            "solicitation": self.solicitation,
            "product": method["product"],
            "campaign": method.get("campaign"),
            "terms_accepted": True,
        }
        answer = self._post("form", choice)
        self.status_url = answer["status_url"]
        return found(r'src="([^"]*pumbaa_form[^"]*)"', answer["html"], "form").replace("&amp;", "&")

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = self.ask("POST", f"{self.api}/{path}", json=body, headers={"Origin": self.shop})
        return dict(reply.json())

    def wait_for_order(self) -> dict[str, Any]:
        """What the page asks while the shopper waits: confirmed, in_review or refused."""
        deadline = time.monotonic() + MAKING_AN_ORDER
        while time.monotonic() < deadline:
            reply = self.ask("GET", self.status_url, headers={"Origin": self.shop})
            answer = dict(reply.json())
            if answer["status"] != "waiting":
                return answer
            time.sleep(0.2)
        raise Stuck(f"no order after {MAKING_AN_ORDER} s")

    # --- At SeQura -------------------------------------------------------------------------------

    def identify(self, form: str) -> None:
        """Fills the form in and types the code from the telephone."""
        self.ask("GET", form)
        url = urlsplit(form)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        reference = query.pop("uuid")
        api = f"{url.scheme}://{url.netloc}/api/v1/checkout/{reference}"
        code = {"secret": query["secret"], "otp": PHONE[-5:]}
        for step, body in (("identification", {**PERSON, **query}), ("validate_otp", code)):
            action = self.ask("POST", f"{api}/{step}", json=body).json()
            if action.get("errors") or action.get("error"):
                raise Stuck(f"SeQura's form wants something else: {action}")


def found(pattern: str, text: str, what: str) -> str:
    match = re.search(pattern, text)
    if not match:
        raise Stuck(f"there is no {what} on the page")
    return match.group(1)
