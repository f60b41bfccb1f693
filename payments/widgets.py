"""Promotional widgets on a shop's own pages: what a page may show, by the rules of the checkout.

One answer per page, which browsers and proxies keep: it names no shopper. BigCommerce is asked only
where what is sold decides, and each product is remembered for a while.
"""

from collections.abc import Collection, Iterable
from typing import Any, TypedDict

from django.core.cache import caches
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from bigcommerce.api import Rejected, Unavailable
from payloads.checkout.eligibility import (
    Rules,
    availability_before_checkout,
    depends_on_products,
    goods_allowed,
    reasons_against,
)
from payloads.checkout.reasons import Reason
from payments.solicit import merchants_in_use, rules_of
from payments.storefront import configuration_of
from sequra.documents import PaymentMethod
from stores.channels import selling_in
from stores.clients import bigcommerce_for, storefront_session
from stores.models import Merchant, Store
from stores.rate_limit import (
    LIMITS,
    READS,
    Concurrency,
    KeyLimit,
    RateLimited,
    caller,
    consume,
    may_wait,
)
from stores.settings_file import WIDGET_THEME
from stores.storefronts import language_of
from transport.call import Timeout

_SECONDS, _SECONDS_OF_TESTERS = 300, 60
# Seconds that a product of the catalogue is not read again, and that nothing is after a failure.
_REMEMBERED, _FAILED = 600, 60
_BRIEF: Timeout = (1, 3)
_BUSY_SECONDS = 2
_reads = Concurrency(1)  # of a store's catalogue at once, of a process
_catalogue = caches["catalogue"]
_CATEGORIES = ("part_payment", "pay_later")
_COUNTRIES = {"es": "ES", "fr": "FR", "it": "IT", "pt": "PT"}  # by the language of a page


class _Shown(TypedDict):
    """A payment method, with the amounts that it finances: cents, inclusive."""

    product: str
    campaign: str | None
    min: int | None
    max: int | None


class _Components(TypedDict):
    """What SeQura's script draws, and what it needs for that."""

    methods: list[_Shown]
    configuration: dict[str, Any] | None


class WidgetsAnswer(_Components):
    """What a page shows; without methods it shows nothing, and loads nothing of SeQura."""

    theme: dict[str, str]
    selector: str
    price_selector: str
    texts: list[str]  # an instalment in a list; and below its smallest amount
    only: list[int] | None  # the products that can be paid with SeQura; None: all of them
    by_sku: bool  # another variant may have another answer


def widgets_for(store: Store, page: dict[str, Any], ip: str) -> WidgetsAnswer:
    """Return what to show on a page. Raise RateLimited, and Rejected or Unavailable."""
    place, channel = page["place"], page["channel"]
    wanted = store.widget_methods.get(place, [])
    merchants = selling_in(store, channel, merchants_in_use(store)) if wanted else {}
    merchant = merchants.get(_country(store, merchants, page["locale"]))
    if merchant is None or merchant.connection.is_refused:
        return _nothing()
    rules = rules_of(store, channel, merchants)
    if availability_before_checkout(
        rules, country=merchant.country, currency=page["currency"], channel=channel, ip=ip
    ):
        return _nothing()
    drawn = components(merchant, wanted, page["locale"], place)
    only = _allowed(store, rules, merchant.country, page, ip) if drawn["methods"] else []
    if only == []:
        return _nothing()
    return {
        **drawn,
        "theme": {name: usual for name, (_l, _p, usual) in WIDGET_THEME.items()}
        | store.widget_theme,
        "selector": store.widget_selectors.get(place, ""),
        "price_selector": store.widget_selectors.get(f"{place}_price", ""),
        "texts": _texts(page["locale"]),
        "only": only,
        "by_sku": bool(rules.excluded_products),
    }


def components(
    merchant: Merchant, wanted: Collection[str], locale: str, place: str = "product"
) -> _Components:
    """Return what SeQura's script draws for a merchant; no methods without its key or address."""
    known = widget_methods(merchant.payment_methods, place)
    methods = [_shown(one) for one in _on_sale(known, wanted)]
    if place == "listing":  # one line for each product
        methods = methods[:1]
    if not (methods and merchant.assets_key and merchant.connection.assets_url):
        return {"methods": [], "configuration": None}
    products = {one["product"] for one in methods}
    return {
        "methods": methods,
        "configuration": configuration_of(
            merchant.connection, merchant.ref, merchant.assets_key, products, locale
        ),
    }


def cached_for(store: Store) -> str:
    """Return the Cache-Control of an answer: with a list of addresses it is one visitor's own."""
    if store.allowed_ips:
        return f"private, max-age={_SECONDS_OF_TESTERS}"
    return f"public, max-age={_SECONDS}"


def _nothing() -> WidgetsAnswer:
    return {
        "methods": [],
        "configuration": None,
        "theme": {},
        "selector": "",
        "price_selector": "",
        "texts": [],
        "only": None,
        "by_sku": False,
    }


def _country(store: Store, merchants: Collection[str], locale: str) -> str:
    """Return the country whose conditions a page shows: nobody has given an address yet.

    The page's language decides where SeQura is sold in its country, then the store's country; a
    shop that sells in one country has no other.
    """
    guesses = (_COUNTRIES.get(language_of(locale), ""), store.country)
    found = [country for country in guesses if country in merchants]
    return found[0] if found else next(iter(merchants), "") if len(merchants) == 1 else ""


def _on_sale(known: Iterable[PaymentMethod], wanted: Collection[str]) -> list[PaymentMethod]:
    """Return the methods that the merchant shows and SeQura has now, whatever the amount."""
    now = timezone.now()
    return [
        method
        for method in known
        if method_key(method) in wanted
        and not set(reasons_against(method, 0, now)) - {Reason.AMOUNT}
    ]


def widget_methods(known: Iterable[PaymentMethod], place: str) -> list[PaymentMethod]:
    """Return the methods that SeQura has a component for; in lists it has instalments only."""
    if place == "listing":
        return [one for one in known if one["category"] == "part_payment" and not one["campaign"]]
    return [one for one in known if one["category"] in _CATEGORIES]


def method_key(method: PaymentMethod) -> str:
    """Return a method's name in the settings: `pp3`, or `pp5/temporary` with a campaign."""
    return f"{method['product']}/{method['campaign']}" if method["campaign"] else method["product"]


def _shown(method: PaymentMethod) -> _Shown:
    return {
        "product": method["product"],
        "campaign": method["campaign"],
        "min": method["min_amount"],
        "max": method["max_amount"],
    }


def _texts(locale: str) -> list[str]:
    """Return what a list of products shows, with room for an amount."""
    with translation.override(language_of(locale)):
        return [_("From %s/month"), _("Pay in instalments from %s")]


def _allowed(
    store: Store, rules: Rules, country: str, page: dict[str, Any], ip: str
) -> list[int] | None:
    """Return the products that can be paid with SeQura; None when none had to be looked at.

    A cart is allowed as a whole. A page that names no product gets none, where that decides.
    """
    if not depends_on_products(rules, country):
        return None
    known = _products(store, page["product"], ip)
    if page["place"] == "listing":
        return [number for number, one in known.items() if goods_allowed(rules, [one], country)]
    is_allowed = known and goods_allowed(rules, known.values(), country, page["sku"])
    return list(known) if is_allowed else []


def _products(store: Store, ids: Collection[int], ip: str) -> dict[int, Any]:
    """Return products of the catalogue by id, from memory where that has them.

    Raise RateLimited, and Rejected or Unavailable.
    """
    keys = {f"product-{store.pk}-{number}": number for number in ids}
    found = {keys[key]: one for key, one in _catalogue.get_many(keys).items()}
    if missing := set(ids) - set(found):
        known = {one["id"]: one for one in _read(store, missing, ip)}
        news = {number: known.get(number, {}) for number in missing}
        of_store = {f"product-{store.pk}-{number}": one for number, one in news.items()}
        _catalogue.set_many(of_store, _REMEMBERED)
        found |= news
    return {number: found[number] for number in ids}


def _read(store: Store, ids: Collection[int], ip: str) -> list[Any]:
    """Return products from BigCommerce; after a failure, none for a minute.

    Raise RateLimited, and Rejected or Unavailable.
    """
    failed = f"failed-{store.pk}"
    if _catalogue.get(failed):
        raise Unavailable("the catalogue could not be read a moment ago")
    with may_wait(_reads, store.pk, READS) as has_place:
        if not has_place:
            raise RateLimited(_BUSY_SECONDS)
        _count_read(store, ip)
        try:
            return list(bigcommerce_for(store, _BRIEF, storefront_session()).products(ids))
        except (Rejected, Unavailable):
            _catalogue.set(failed, 1, _FAILED)
            raise


def _count_read(store: Store, ip: str) -> None:
    """Count a read of the catalogue. One visitor must not use up what all others need."""
    of_store = KeyLimit(f"products {store.pk}", **LIMITS["products of widgets"])
    of_visitor = LIMITS["products of an address"]
    consume(f"products {store.pk} {caller(ip)}", **of_visitor, also=[of_store])
