"""The page "Availability": why SeQura does not appear."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from bigcommerce.client import BigCommerce
from bigcommerce.errors import Rejected, Unavailable
from orders.models import Order
from panel.forms import WhatIfForm
from panel.session import PanelRequest, panel_page
from panel.templatetags.panel import money
from payloads.checkout.eligibility import Rules, availability
from payloads.checkout.payment_methods import reasons_against
from payloads.checkout.reasons import SENTENCES, Reason
from payments.models import Offer, Solicitation
from payments.solicit import UNKNOWN, rules_of, selling_merchants
from sequra.documents import PaymentMethod
from stores.clients import bigcommerce_for
from stores.models import Store
from transaction_log.explanations import Text
from transport.call import Timeout

# Why SeQura was not shown: what was remembered of a checkout, and what would be with another.
#
# Past checkouts are told from the stored offers. A cart that nobody has is put before the very
# rules that decide in the checkout.
MOST = 20
_BRIEF: Timeout = (2, 4)  # seconds: somebody waits for the page
_CHECKOUT_ID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE
)
# Where a merchant can do something about it.
_CONNECTION = ("connection", gettext_lazy("Connection settings"))
_EXCLUSIONS = ("exclusions", gettext_lazy("Edit exclusions"))
_METHODS = ("payment_methods", gettext_lazy("View payment methods"))
_PAGES: dict[Reason, tuple[str, Text]] = {
    Reason.NOT_CONNECTED: _CONNECTION,
    Reason.ACCOUNT_REFUSED: _CONNECTION,
    Reason.COUNTRY: ("countries", gettext_lazy("Edit countries")),
    Reason.CHANNEL: ("settings", gettext_lazy("Edit storefronts")),
    Reason.IP_NOT_ALLOWED: ("settings", gettext_lazy("Edit IP list")),
    Reason.DIGITAL_ONLY: ("settings", gettext_lazy("Edit services")),
    Reason.EXCLUDED_PRODUCT: _EXCLUSIONS,
    Reason.EXCLUDED_CATEGORY: _EXCLUSIONS,
    Reason.AMOUNT: ("payment_methods", gettext_lazy("View limits")),
    Reason.NOT_YET_AVAILABLE: _METHODS,
    Reason.NO_LONGER_AVAILABLE: _METHODS,
}


@dataclass(frozen=True)
class _Why:
    """One reason in words, and the page that has the setting behind it."""

    sentence: str
    page: str = ""
    link: Text = ""


@dataclass(frozen=True)
class _Asked:
    """One moment at which the checkout asked for SeQura; without a reason it was offered."""

    at: datetime
    reasons: list[_Why]
    detail: str


@dataclass(frozen=True)
class _Found:
    """What is known about what the merchant asked for."""

    asked: list[_Asked]
    checkout_id: str = ""
    paid_order: int | None = None  # paid with SeQura
    problem: str = ""


def _explain(code: str) -> _Why:
    """A reason in the reader's language."""
    if code == UNKNOWN:
        return _Why(_("BigCommerce couldn't find this checkout at the time."))
    try:
        reason = Reason(code)
    except ValueError:
        return _Why(code)
    return _Why(_(SENTENCES[reason]), *_PAGES.get(reason, ()))


def _find(store: Store, text: str) -> _Found:
    """What happened in a checkout, named by its id, its address, or the order it became."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return _by_order(store, int(text))
    match = _CHECKOUT_ID.search(text)
    if match is None:
        return _Found([], problem=_("Enter a valid order number or checkout ID."))
    return _by_checkout(store, match[0].lower())


def _by_checkout(store: Store, checkout_id: str) -> _Found:
    offers = Offer.objects.filter(store=store, checkout_id=checkout_id).order_by("-at")
    asked = [
        _Asked(offer.at, [_explain(code) for code in offer.reasons], offer.detail)
        for offer in offers[:MOST]
    ]
    return _Found(asked, checkout_id)


def _by_order(store: Store, order_id: int) -> _Found:
    order = Order.objects.filter(store=store, bigcommerce_id=order_id).first()
    if order:
        paid = Solicitation.objects.filter(store=store, reference=order.reference).first()
        found = _by_checkout(store, paid.checkout_id) if paid else _Found([])
        return replace(found, paid_order=order_id)
    try:
        document = bigcommerce_for(store, _BRIEF).order(order_id)
    except Rejected as refusal:
        if refusal.status == 404:
            return _Found([], problem=_("There's no order with this number in BigCommerce."))
        words = _("BigCommerce didn't allow us to read the order: %(words)s")
        return _Found([], problem=words % {"words": refusal.message})
    except Unavailable:
        return _Found([], problem=_("BigCommerce didn't respond. Try again in a moment."))
    checkout_id = str(document.get("cart_id") or "")
    if not checkout_id:
        return _Found([], problem=_("This order wasn't placed through your store's checkout."))
    return _by_checkout(store, checkout_id)


@dataclass(frozen=True)
class _Verdict:
    """What the rules say of a payment method, or of the whole cart when `title` is empty."""

    title: str
    name: str
    reasons: list[_Why]


@dataclass(frozen=True)
class _WhatIf:
    """The answer for a made-up cart."""

    reasons: list[_Why]
    methods: list[_Verdict]
    problem: str = ""

    @property
    def offered(self) -> bool:
        return not self.reasons and any(not method.reasons for method in self.methods)


def _what_if(store: Store, form: WhatIfForm) -> _WhatIf:
    """Would SeQura be offered for this cart?"""
    merchants = selling_merchants(store)
    # Of the storefront it says nothing: that one is offered.
    rules, asked = replace(rules_of(store, merchants), disabled_channels=()), form.cleaned_data
    if not asked["ip"]:
        rules = replace(rules, allowed_ips=())
    products, problem = _products(store, rules, form.skus)
    against = availability(
        rules, _checkout(asked, form.skus), amount=form.cents, ip=asked["ip"], products=products
    )
    merchant = merchants.get(asked["country"])
    told: Sequence[Any] = merchant.payment_methods if merchant else []
    methods = [_verdict(method, form.cents) for method in told] if not against else []
    reasons = [_explain(code) for code in against]
    if not against and not told:
        reasons = [_explain(Reason.NO_METHODS)]
    return _WhatIf(reasons, methods, problem)


def _verdict(method: PaymentMethod, cents: int) -> _Verdict:
    against = reasons_against(method, cents, timezone.now())
    name = " · ".join(filter(None, [method["product"], method["campaign"]]))
    reasons = [_limits(method) if code == Reason.AMOUNT else _explain(code) for code in against]
    return _Verdict(method["title"] or name, name, reasons)


def _limits(method: PaymentMethod) -> _Why:
    """The range of this very method: another one may well take the amount."""
    least, most = (money(method[limit]) for limit in ("min_amount", "max_amount"))
    if least and most:
        sentence = _("This amount is outside the %(min)s–%(max)s limit of this method.")
    elif least:
        sentence = _("This amount is below the %(min)s minimum of this method.")
    else:
        sentence = _("This amount is above the %(max)s maximum of this method.")
    return _Why(sentence % {"min": least, "max": most}, *_PAGES[Reason.AMOUNT])


def _products(store: Store, rules: Rules, skus: list[str]) -> tuple[list[Any], str]:
    """The catalogue's documents; asked for only when a category is excluded."""
    if not (skus and rules.excluded_categories):
        return [], ""
    try:
        api = bigcommerce_for(store, _BRIEF)
        return [product for sku in skus for product in _with_sku(api, sku)], ""
    except (Rejected, Unavailable):
        return [], _(
            "We couldn't read the products' categories from BigCommerce, so this test ignores"
            " excluded categories."
        )


def _with_sku(api: BigCommerce, sku: str) -> list[Any]:
    found = api.search_products(sku)
    return [row for row in found if row.get("sku", "").casefold() == sku.casefold()]


def _checkout(asked: dict[str, Any], skus: list[str]) -> dict[str, Any]:
    """Return the least that the rules need of a checkout, with every field a shopper fills in."""
    country = asked["country"] or "XX"
    goods = [{"id": str(n), "sku": sku} for n, sku in enumerate(skus or [""])]
    address = {"country_code": country, "email": "shopper@example.com"}
    kind = "digital_items" if asked["digital"] else "physical_items"
    parcel = {"address": address, "selected_shipping_option": {"id": "1"}}
    return {
        "cart": {
            "currency": {"code": asked["currency"].upper()},
            "line_items": {kind: goods},
        },
        "billing_address": address,
        "consignments": [] if asked["digital"] else [parcel],
    }


_LONGEST = 300


@require_safe
@panel_page
def why_not(request: PanelRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\0", "").strip()[:_LONGEST]
    asks = "amount" in request.GET
    form = WhatIfForm(request.GET if asks else None)
    context = {
        "text": text,
        "found": _find(request.store, text) if text else None,
        "form": form,
        "answer": _what_if(request.store, form) if asks and form.is_valid() else None,
    }
    return render(request, "payments/why.html", context)
