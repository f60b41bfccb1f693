"""The parts we read of what SeQura answers, and how: leniently, since more may come.

Amounts are integer cents. https://docs.sequra.com/reference
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict, cast
from urllib.parse import urlsplit

# Whoever reads Catalan, Galician or Basque reads Spanish; the storefront script has the same rule.
READ_SPANISH = ("ca", "gl", "eu")

ENVIRONMENTS = ("sandbox", "live")


class Addresses(NamedTuple):
    """Where one environment of a deployment lives, without a slash at the end."""

    api_url: str
    assets_url: str


@dataclass(frozen=True)
class Deployment:
    """A SeQura installation that serves a group of countries: "sequra", "svea"."""

    id: str
    name: str
    environments: dict[str, Addresses]

    @property
    def origins(self) -> set[str]:
        """Scheme, host and port of every address in here: what else may be called or framed."""
        return {origin(url) for pair in self.environments.values() for url in pair}


class Credentials(TypedDict, total=False):
    """A merchant of the account: one row of `/merchants/credentials`."""

    ref: str
    name: str | None
    country: str
    currency: str
    assets_key: str
    contract_options: list[str]  # "services", "allow_first_instalment_delay", …


class Cost(TypedDict, total=False):
    """Cents; means something for a solicitation only."""

    setup_fee: int
    instalment_fee: int
    down_payment_fees: int
    instalment_total: int


class PaymentMethod(TypedDict):
    """What a button sells: the pair (product, campaign), with the category it stands in."""

    product: str
    campaign: str | None
    title: str
    long_title: str
    claim: str
    description: str
    icon: str  # SVG text, hostile until shown as an image
    cost: Cost
    cost_description: str
    starts_at: str | None
    ends_at: str | None
    min_amount: int | None
    max_amount: int | None
    category: str  # pay_now, pay_later, part_payment
    category_title: str


def origin(url: str) -> str:
    """Scheme, host and port of an absolute http(s) address; ValueError for any other."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{url!r} is not an absolute http(s) address")
    if "@" in parts.netloc or not url.isprintable() or any(mark in url for mark in " \\"):
        raise ValueError(f"{url!r} is not a plain address")
    usual = ":443" if parts.scheme == "https" else ":80"  # which browsers leave out
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(usual)}"


def address(url: str) -> str:
    """The origin and the path as given, without query, fragment and closing slash."""
    return (origin(url) + urlsplit(url).path).rstrip("/")


def read_deployment(document: Mapping[str, Any]) -> Deployment:
    """KeyError, TypeError or ValueError when the document lacks an address or has an odd one."""
    environments = {
        environment: Addresses(
            address(document[environment]["api_base_url"]),
            address(document[environment]["assets_base_url"]),
        )
        for environment in ENVIRONMENTS
        if environment in document
    }
    identity = str(document["id"])
    return Deployment(identity, str(document.get("name") or identity), environments)


def read_payment_methods(document: Mapping[str, Any]) -> list[PaymentMethod]:
    """The methods of all categories in SeQura's order; a category may have none.

    KeyError, TypeError or AttributeError when the document is not one of payment options.
    """
    return [
        read_payment_method(method, category)
        for category in document["payment_options"]
        for method in category.get("methods") or []
        if method.get("product")
    ]


def read_payment_method(method: Mapping[str, Any], category: Mapping[str, Any]) -> PaymentMethod:
    return PaymentMethod(
        product=str(method["product"]),
        campaign=method.get("campaign") or None,
        title=text(method, "title"),
        long_title=text(method, "long_title"),
        claim=text(method, "claim"),
        description=text(method, "description"),
        icon=text(method, "icon"),
        cost=cast(Cost, method.get("cost") or {}),
        cost_description=text(method, "cost_description"),
        starts_at=method.get("starts_at"),
        ends_at=method.get("ends_at"),
        min_amount=method.get("min_amount"),
        max_amount=method.get("max_amount"),
        category=text(category, "category"),
        category_title=text(category, "title"),
    )


def text(document: Mapping[str, Any], key: str) -> str:
    """Empty for what is missing or null."""
    return str(document.get(key) or "")


def rows(document: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; TypeError when it is none."""
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise TypeError("expected a list of objects")
    return document
