"""Whether SeQura is offered, and with which payment methods: pure rules, a reason for every no.

An empty list of reasons means it may be offered. The rules are those of SeQura's own
integrations; the sentences for merchants are in payloads/checkout/reasons.py.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypedDict

from payloads.checkout.parts import Document, all_items, cart_of, currency_of, is_readable, items
from payloads.checkout.reasons import Reason
from payloads.checkout.shopper import (
    all_chosen,
    country_code,
    delivery_countries,
    email,
    merchant_country,
    needs_shipping,
)
from payloads.order.lines import text
from sequra.documents import PaymentMethod
from transport.reading import number_of, section

# Instalments have titles like "from 7.24 € a month"; an order is named after their category.
_NAMED_AFTER_CATEGORY = {"pp3", "pp6", "pp9"}
# "Divide en 3 partes de 161,30 €", and "de 0,00 €" where there is no cart.
_AMOUNT_AT_END = re.compile(
    r"[\s,]*(?:\b(?:a partir de|à partir de|desde|dès|de|da|from|of)\s+)?"
    r"(?:€\s?\d[\d.,]*|\d[\d.,]*\s?€)(?:\s?/\s?\w+)?\s*$",
    re.IGNORECASE,
)
MOST = 2**31 - 1  # cents, and ids of channels: what a row holds


@dataclass(frozen=True, kw_only=True)
class Rules:
    """A store's settings, as far as they decide who may pay with SeQura."""

    connected: bool
    # Contract options of the merchant of each selling country: {"ES": ["services"]}.
    countries: Mapping[str, Collection[str]]
    allowed_ips: Sequence[str] = ()
    excluded_products: Collection[str] = ()  # SKUs
    excluded_categories: Collection[int | str] = ()  # ids, with those of the categories below
    disabled_channels: Collection[int] = ()  # ids of storefronts
    offers_services: bool = True  # where the contract has them
    offers_companies: bool = True
    excluded_groups: Collection[int] = ()  # ids of customer groups


def availability(
    rules: Rules,
    checkout: Document,
    *,
    amount: int,
    ip: str,
    products: Iterable[Document] = (),
    customer: Document | None = None,
) -> list[Reason]:
    """Every reason not to offer SeQura for this checkout, in a fixed order.

    `amount` is what the shopper still has to pay, in cents; `ip` the shopper's address; `products`
    the catalogue's documents of what is in the cart, needed only when something is excluded;
    `customer` the registered customer, needed only when a customer group is.
    """
    if not rules.connected:
        return [Reason.NOT_CONNECTED]
    if not is_readable(checkout):
        return [Reason.UNREADABLE]
    catalogue = list(map(section, products))
    applies = {
        **_incomplete(checkout),
        Reason.CHANNEL: channel_of(checkout) in rules.disabled_channels,
        Reason.COUNTRY: not _sells_in(rules, checkout),
        Reason.CURRENCY: currency_of(checkout) != "EUR",
        Reason.IP_NOT_ALLOWED: not ip_allowed(ip, rules.allowed_ips),
        Reason.COMPANY: not rules.offers_companies and _is_company(checkout, customer),
        Reason.CUSTOMER_GROUP: _group_of(customer) in rules.excluded_groups,
        Reason.EXCLUDED_PRODUCT: _has_excluded_product(rules, checkout, catalogue),
        Reason.EXCLUDED_CATEGORY: _has_excluded_category(rules, catalogue),
        Reason.DIGITAL_ONLY: _is_digital(checkout) and not _sells_services(rules, checkout),
        Reason.NOTHING_LEFT_TO_PAY: amount <= 0,
    }
    return [reason for reason, is_met in applies.items() if is_met]


def availability_before_checkout(
    rules: Rules, *, country: str, currency: str, channel: int, ip: str
) -> list[Reason]:
    """Every reason not to promise SeQura to somebody who is still choosing, in a fixed order.

    `country` is where the shop sells, as far as its page shows it.
    """
    applies = {
        Reason.NOT_CONNECTED: not rules.connected,
        Reason.CHANNEL: channel in rules.disabled_channels,
        Reason.COUNTRY: country not in rules.countries,
        Reason.CURRENCY: currency != "EUR",
        Reason.IP_NOT_ALLOWED: not ip_allowed(ip, rules.allowed_ips),
    }
    return [reason for reason, is_met in applies.items() if is_met]


def depends_on_products(rules: Rules, country: str) -> bool:
    """Return whether what is sold decides too: then the catalogue has to be read."""
    excludes = bool(rules.excluded_products or rules.excluded_categories)
    return excludes or not _services_in(rules, country)


def goods_allowed(
    rules: Rules, products: Iterable[Document], country: str, skus: Collection[str] = ()
) -> bool:
    """Return whether a cart of these products of the catalogue can be paid with SeQura.

    `skus` are those of the variants in it.
    """
    catalogue = list(map(section, products))
    lines = [{"sku": sku} for sku in skus]
    excluded = {_sku(sku) for sku in rules.excluded_products}
    is_excluded = any(_sku(one.get("sku")) in excluded - {""} for one in (*catalogue, *lines))
    is_digital = bool(catalogue) and all(one.get("type") == "digital" for one in catalogue)
    return not (
        is_excluded
        or _has_excluded_category(rules, catalogue)
        or (is_digital and not _services_in(rules, country))
    )


def channel_of(checkout: Document) -> int:
    """Return the storefront channel; the first one where none, or an invalid one, is given."""
    channel = number_of(cart_of(checkout).get("channel_id"))
    return channel if channel and channel <= MOST else 1


def _is_company(checkout: Document, customer: Document | None) -> bool:
    """Return whether a company is billed, or the customer's account is a company's.

    A company in the address of delivery alone is where somebody works.
    """
    billed = section(checkout.get("billing_address")).get("company")
    return any(text(name).strip() for name in (billed, section(customer).get("company")))


def _group_of(customer: Document | None) -> int | None:
    return number_of(section(customer).get("customer_group_id"))


def _incomplete(checkout: Document) -> dict[Reason, bool]:
    """Return what the shopper has not entered yet. Without a billing address there is no order."""
    billing = section(checkout.get("billing_address"))
    countries = [merchant_country(checkout), country_code(billing), *delivery_countries(checkout)]
    return {
        Reason.NO_EMAIL: "@" not in email(checkout),
        Reason.NO_ADDRESS: not all(countries),
        Reason.NO_SHIPPING_OPTION: not all_chosen(checkout),
    }


def _sells_in(rules: Rules, checkout: Document) -> bool:
    """Return whether every country of delivery has a merchant id.

    An unknown country is no reason of its own: the missing address is reported.
    """
    countries = {merchant_country(checkout), *delivery_countries(checkout)} - {""}
    return all(country in rules.countries for country in countries)


def _sells_services(rules: Rules, checkout: Document) -> bool:
    """Return whether services are sold. An unknown country counts: its address is reported."""
    country = merchant_country(checkout)
    return rules.offers_services if not country else _services_in(rules, country)


def _services_in(rules: Rules, country: str) -> bool:
    return rules.offers_services and "services" in rules.countries.get(country, ())


def _is_digital(checkout: Document) -> bool:
    return not (needs_shipping(checkout) or any(items(checkout, "physical_items", "custom_items")))


def _has_excluded_product(rules: Rules, checkout: Document, catalogue: list[Document]) -> bool:
    """Return whether a variant's or product's SKU is excluded. SKUs ignore case."""
    excluded = {_sku(sku) for sku in rules.excluded_products}
    held = {_sku(item.get("sku")) for item in (*all_items(checkout), *catalogue)}
    return bool((held - {""}) & excluded)


def _sku(sku: object) -> str:
    return text(sku).casefold()


def _has_excluded_category(rules: Rules, catalogue: list[Document]) -> bool:
    excluded = {str(category) for category in rules.excluded_categories}
    lists = (product.get("categories") for product in catalogue)
    held = {str(category) for one in lists if isinstance(one, list) for category in one}
    return bool(held & excluded)


def ip_allowed(ip: str, allowed: Sequence[str]) -> bool:
    """Return whether the shopper's address is on the list. An empty list allows everybody.

    Entries are addresses or networks (`203.0.113.0/24`, `2001:db8::/32`). A malformed one matches
    nothing. So a list with nothing else blocks everybody, which is the safe result of a typo.
    """
    if not allowed:
        return True
    try:
        address = ip_address(ip.strip())
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for entry in allowed if (network := _network(entry)))


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(str(entry).strip(), strict=False)
    except ValueError:
        return None


class Method(TypedDict):
    """A payment method as the checkout shows it, identified by product and campaign."""

    product: str
    campaign: str | None
    title: str
    description: str
    cost_description: str
    icon: str  # SVG text, foreign: show it as an image only
    category: str


def offered_methods(
    known: Sequence[PaymentMethod], amount: int, now: datetime
) -> tuple[list[Method], list[Reason]]:
    """Return the methods that finance `amount` cents at `now`; without any, the reasons why."""
    verdicts = [(method, reasons_against(method, amount, now)) for method in known]
    offered = [_shown(method) for method, reasons in verdicts if not reasons]
    if offered:
        return offered, []
    found = {reason for _, reasons in verdicts for reason in reasons}
    return [], [reason for reason in Reason if reason in found] or [Reason.NO_METHODS]


def reasons_against(method: PaymentMethod, amount: int, now: datetime) -> list[Reason]:
    """Return why a method is not available: its range of amounts (cents, inclusive), its dates."""
    least, most = method["min_amount"], method["max_amount"]
    starts, ends = _moment(method["starts_at"]), _moment(method["ends_at"])
    found = {
        Reason.AMOUNT: (least is not None and amount < least)
        or (most is not None and amount > most),
        Reason.NOT_YET_AVAILABLE: starts is not None and now < starts,
        Reason.NO_LONGER_AVAILABLE: ends is not None and now >= ends,
    }
    return [reason for reason, applies in found.items() if applies]


def _moment(known: str | None) -> datetime | None:
    """Return a moment of SeQura; None for an unreadable one, which limits nothing."""
    try:
        moment = datetime.fromisoformat(known or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(method: PaymentMethod) -> Method:
    return {
        "product": method["product"],
        "campaign": method["campaign"],
        "title": _unbroken(_title(method)),
        "description": _unbroken(method["description"]),
        "cost_description": _unbroken(method["cost_description"] or method["claim"]),
        "icon": method["icon"],
        "category": method["category"],
    }


def _unbroken(text: str) -> str:
    """Keep an amount on one line: phones broke `12,24 €/mes` before the euro sign."""
    return re.sub(r"(?<=\d) (?=€)|(?<=€) (?=\d)", "\N{NO-BREAK SPACE}", text)


def _title(method: PaymentMethod) -> str:
    return method["title"] or method["long_title"] or method["category_title"] or "SeQura"


def find_method(methods: Iterable[Method], product: str, campaign: str | None) -> Method | None:
    """Return the method that the shopper chose, if it was offered."""
    wanted = (product, campaign or None)
    return next((m for m in methods if (m["product"], m["campaign"]) == wanted), None)


def order_name(known: Iterable[PaymentMethod], product: str) -> str:
    """Return the name of an order paid with this product; empty for an unknown product."""
    return next((plain_title(one) for one in known if one["product"] == product), "")


def plain_title(method: PaymentMethod) -> str:
    """Return the method's name without an amount: SeQura's titles speak of one cart, or of none."""
    if method["product"] in _NAMED_AFTER_CATEGORY and method["category_title"]:
        return method["category_title"]
    title = _title(method)
    return _AMOUNT_AT_END.sub("", title) or title
