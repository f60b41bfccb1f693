"""The parts of SeQura's replies that the app reads, leniently: further fields are ignored.

Amounts are integer cents. https://docs.sequra.com/reference
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict
from urllib.parse import urlsplit

# Readers of Catalan, Galician or Basque read Spanish; the storefront script has the same rule.
READ_SPANISH = ("ca", "gl", "eu")

_ENVIRONMENTS = ("sandbox", "live")


class Addresses(NamedTuple):
    """The URLs of one environment of a deployment, without a slash at the end."""

    api_url: str
    assets_url: str


@dataclass(frozen=True)
class Deployment:
    """A SeQura installation for a group of countries: "sequra", "svea"."""

    id: str
    name: str
    environments: dict[str, Addresses]

    @property
    def origins(self) -> set[str]:
        """Return scheme, host and port of all its URLs: the origins to trust."""
        return {origin(url) for pair in self.environments.values() for url in pair}


class Credentials(TypedDict, total=False):
    """A merchant id of the account: one row of `/merchants/credentials`."""

    ref: str
    name: str | None
    country: str
    currency: str
    assets_key: str
    contract_options: list[str]  # "services", "allow_first_instalment_delay", …


class PaymentMethod(TypedDict):
    """A payment method, identified by product and campaign, with its category."""

    product: str
    campaign: str | None
    title: str
    long_title: str
    claim: str
    description: str
    icon: str  # SVG text, hostile until shown as an image
    cost: dict[str, int]  # cents by name; only meaningful for a solicitation
    cost_description: str
    starts_at: str | None
    ends_at: str | None
    min_amount: int | None
    max_amount: int | None
    category: str  # pay_now, pay_later, part_payment
    category_title: str


def origin(url: str) -> str:
    """Return scheme, host and port of an absolute http(s) URL. Raise ValueError for any other."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{url!r} is not an absolute http(s) address")
    if "@" in parts.netloc or not url.isprintable() or any(mark in url for mark in " \\"):
        raise ValueError(f"{url!r} is not a plain address")
    usual = ":443" if parts.scheme == "https" else ":80"  # which browsers leave out
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(usual)}"


def _address(url: str) -> str:
    """Return the URL's origin and path, without query, fragment and closing slash."""
    return (origin(url) + urlsplit(url).path).rstrip("/")


def read_deployment(document: Mapping[str, Any]) -> Deployment:
    """Return a deployment.

    Raise KeyError, TypeError or ValueError when a URL is missing or invalid.
    """
    environments = {
        environment: Addresses(
            _address(document[environment]["api_base_url"]),
            _address(document[environment]["assets_base_url"]),
        )
        for environment in _ENVIRONMENTS
        if environment in document
    }
    identity = str(document["id"])
    name = str(document.get("name") or identity)
    # Here SeQura writes its name in another way than anywhere else.
    name = "SeQura" if name == "seQura" else name
    return Deployment(identity, name, environments)


def read_payment_methods(document: Mapping[str, Any]) -> list[PaymentMethod]:
    """Return the methods of all categories in SeQura's order; a category may have none.

    Raise KeyError, TypeError or AttributeError when the document has another shape.
    """
    return [
        _read_payment_method(method, category)
        for category in document["payment_options"]
        for method in category.get("methods") or []
        if method.get("product")
    ]


def _read_payment_method(method: Mapping[str, Any], category: Mapping[str, Any]) -> PaymentMethod:
    return PaymentMethod(
        product=str(method["product"]),
        campaign=method.get("campaign") or None,
        title=_text(method, "title"),
        long_title=_text(method, "long_title"),
        claim=_text(method, "claim"),
        description=_text(method, "description"),
        icon=_text(method, "icon"),
        cost=method.get("cost") or {},
        cost_description=_text(method, "cost_description"),
        starts_at=method.get("starts_at"),
        ends_at=method.get("ends_at"),
        min_amount=method.get("min_amount"),
        max_amount=method.get("max_amount"),
        category=_text(category, "category"),
        category_title=_text(category, "title"),
    )


def _text(document: Mapping[str, Any], key: str) -> str:
    """Return a text; empty for a missing or null one."""
    return str(document.get(key) or "")


def rows(document: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list. Raise TypeError when it is none."""
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise TypeError("expected a list of objects")
    return document
