"""The page "Availability": why SeQura does not appear."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.models import Order
from panel.forms import WhatIfForm
from panel.session import PanelRequest, waiting_page
from panel.templatetags.panel import money
from payloads.checkout.eligibility import Rules, availability, reasons_against
from payloads.checkout.reasons import NOW, SENTENCES, Reason
from payments.models import Offer, Solicitation
from payments.solicit import UNKNOWN, merchants_in_use, no_access, rules_of
from sequra.documents import PaymentMethod
from stores.channels import selling_in
from stores.clients import bigcommerce_for
from stores.models import Store
from transaction_log.explanations import Text
from transport.call import Timeout

# Why SeQura was not shown: what was remembered of a checkout, and what would be with another.
#
# Past checkouts are told from the stored offers. A cart that nobody has is put before the very
# rules that decide in the checkout.
_MOST = 20
_BRIEF: Timeout = (2, 4)  # seconds: somebody waits for the page
_CHECKOUT_ID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE
)
# Where a merchant can do something about it: a page, its place there, and what the link is called.
_CONNECTION = ("connection", "", gettext_lazy("Connection settings"))
_EXCLUSIONS = ("exclusions", "", gettext_lazy("Edit exclusions"))
_AUDIENCE = ("audience", "", gettext_lazy("Edit companies and groups"))
_METHODS = ("payment_methods", "", gettext_lazy("View payment methods"))
_SETUP = ("dashboard", "#setup", gettext_lazy("Setup check"))
_PAGES: dict[Reason, tuple[str, str, Text]] = {
    Reason.NOT_CONNECTED: _CONNECTION,
    Reason.ACCESS_LOST: _SETUP,
    Reason.ACCOUNT_REFUSED: _CONNECTION,
    Reason.COUNTRY: ("countries", "", gettext_lazy("Edit countries")),
    Reason.CHANNEL: ("settings", "#who", gettext_lazy("Edit storefronts")),
    Reason.IP_NOT_ALLOWED: ("settings", "#who", gettext_lazy("Edit IP list")),
    Reason.COMPANY: _AUDIENCE,
    Reason.CUSTOMER_GROUP: _AUDIENCE,
    Reason.DIGITAL_ONLY: ("settings", "#services", gettext_lazy("Edit services")),
    Reason.EXCLUDED_PRODUCT: _EXCLUSIONS,
    Reason.EXCLUDED_CATEGORY: _EXCLUSIONS,
    Reason.NOT_YET_AVAILABLE: _METHODS,
    Reason.NO_LONGER_AVAILABLE: _METHODS,
    Reason.NO_METHODS: _METHODS,
    Reason.REFUSED_BY_BIGCOMMERCE: _SETUP,
}
_ABOUT_A_METHOD = {Reason.AMOUNT, Reason.NOT_YET_AVAILABLE, Reason.NO_LONGER_AVAILABLE}


@dataclass(frozen=True)
class _Why:
    """One reason in words, and the page that has the setting behind it."""

    sentence: str
    page: str = ""
    place: str = ""  # in the page: a query or a fragment
    link: Text = ""


@dataclass(frozen=True)
class _Verdict:
    """What the rules say of a payment method."""

    method: PaymentMethod
    reasons: list[_Why]


@dataclass(frozen=True)
class _Asked:
    """One moment at which the checkout asked for SeQura."""

    at: datetime
    reasons: list[_Why]
    detail: str
    methods: list[_Verdict]
    is_hidden: bool


@dataclass(frozen=True)
class _Found:
    """What is known about what the merchant asked for."""

    asked: list[_Asked]
    checkout_id: str = ""
    paid_order: int | None = None  # paid with SeQura
    problem: str = ""


def _explain(code: str, sentences: Mapping[Reason, str] = SENTENCES) -> _Why:
    """A reason in the reader's language."""
    if code == UNKNOWN:
        return _Why(_("BigCommerce couldn't find this checkout at the time."))
    try:
        reason = Reason(code)
    except ValueError:
        return _Why(code)
    return _Why(_(sentences[reason]), *_PAGES.get(reason, ()))


def reason_text(code: str) -> str:
    """Return a reason for which SeQura was not shown."""
    return _explain(code).sentence


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
    newest = offers.select_related("attempt")[:_MOST]
    return _Found([_asked(offer) for offer in newest], checkout_id)


def _asked(offer: Offer) -> _Asked:
    """Return a moment with what each payment method said of the amount at that time."""
    codes, attempt = {*offer.reasons}, offer.attempt
    methods: list[_Verdict] = []
    if attempt and codes <= _ABOUT_A_METHOD:
        known, cents, country = attempt.payment_methods, attempt.amount, attempt.country
        methods = [_verdict(one, cents, country, offer.at, SENTENCES) for one in known]
    reasons = [_explain(code) for code in offer.reasons if not methods]
    return _Asked(offer.at, reasons, offer.detail, methods, bool(offer.reasons))


def _by_order(store: Store, order_id: int) -> _Found:
    order = Order.objects.filter(store=store, bigcommerce_id=order_id).first()
    if order:
        paid = Solicitation.objects.filter(store=store, reference=order.reference).first()
        found = _by_checkout(store, paid.checkout_id) if paid else _Found([])
        return replace(found, paid_order=order_id)
    try:
        document = bigcommerce_for(store, _BRIEF).order(order_id)
    except Rejected as refusal:
        return _Found([], problem=_unread(refusal))
    except Unavailable:
        return _Found([], problem=_("BigCommerce didn't respond. Try again in a moment."))
    checkout_id = str(document.get("cart_id") or "")
    if not checkout_id:
        return _Found([], problem=_("This order wasn't placed through your store's checkout."))
    return _by_checkout(store, checkout_id)


def _unread(refusal: Rejected) -> str:
    """Return why BigCommerce didn't return an order."""
    if refusal.status == 404:
        return _("There's no order with this number in BigCommerce.")
    if refusal.status == 401:
        return _explain(Reason.ACCESS_LOST, NOW).sentence
    words = _("BigCommerce didn't allow us to read the order: %(words)s")
    return words % {"words": refusal.message}


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
    known, asked, channel = merchants_in_use(store), form.cleaned_data, form.channel
    merchants = selling_in(store, channel, known)
    rules = rules_of(store, channel, merchants)
    if not asked["ip"]:
        rules = replace(rules, allowed_ips=())
    products, problem = _products(store, rules, form.skus)
    lost = no_access(store, known)
    against = (
        [lost]
        if lost
        else availability(
            rules, _checkout(form), amount=form.cents, ip=asked["ip"], products=products
        )
    )
    merchant = merchants.get(asked["country"])
    if merchant and not lost and merchant.connection.is_refused:
        against.append(Reason.ACCOUNT_REFUSED)
    told: Sequence[Any] = merchant.payment_methods if merchant else []
    reasons = [_explain(code, NOW) for code in against]
    if not against and not told:
        reasons = [_explain(Reason.NO_METHODS, NOW)]
    methods = (
        []
        if against
        else [
            _verdict(method, form.cents, asked["country"], timezone.now(), NOW) for method in told
        ]
    )
    return _WhatIf(reasons, methods, problem)


def _verdict(
    method: PaymentMethod,
    cents: int,
    country: str,
    at: datetime,
    sentences: Mapping[Reason, str],
) -> _Verdict:
    """Return what a method says of an amount at a moment, in the tense of the sentences."""
    reasons = [
        _limits(method, cents, country, is_past=sentences is SENTENCES)
        if code == Reason.AMOUNT
        else _explain(code, sentences)
        for code in reasons_against(method, cents, at)
    ]
    return _Verdict(method, reasons)


_LIMITS_NOW: dict[str, Text] = {
    "both": gettext_lazy("%(amount)s is outside the %(min)s–%(max)s limit of this method."),
    "least": gettext_lazy("%(amount)s is below the %(min)s minimum of this method."),
    "most": gettext_lazy("%(amount)s is above the %(max)s maximum of this method."),
}
_LIMITS_THEN: dict[str, Text] = {
    "both": gettext_lazy("%(amount)s was outside the %(min)s–%(max)s limit of this method."),
    "least": gettext_lazy("%(amount)s was below the %(min)s minimum of this method."),
    "most": gettext_lazy("%(amount)s was above the %(max)s maximum of this method."),
}


def _limits(method: PaymentMethod, cents: int, country: str, *, is_past: bool) -> _Why:
    """The range of this very method: another one may well take the amount."""
    least, most = (money(method[limit]) for limit in ("min_amount", "max_amount"))
    of = "both" if least and most else "least" if least else "most"
    sentence = (_LIMITS_THEN if is_past else _LIMITS_NOW)[of]
    texts = {"amount": money(cents), "min": least, "max": most}
    return _Why(sentence % texts, "payment_methods", f"?country={country}", _("View limits"))


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


def _checkout(form: WhatIfForm) -> dict[str, Any]:
    """Return the least that the rules need of a checkout, with every field a shopper fills in."""
    asked = form.cleaned_data
    country = asked["country"] or "XX"
    goods = [{"id": str(n), "sku": sku} for n, sku in enumerate(form.skus or [""])]
    company = "Example" if asked["company"] else ""
    address = {"country_code": country, "email": "shopper@example.com", "company": company}
    kind = "digital_items" if asked["digital"] else "physical_items"
    parcel = {"address": address, "selected_shipping_option": {"id": "1"}}
    return {
        "cart": {
            "channel_id": form.channel,
            "currency": {"code": asked["currency"].upper()},
            "line_items": {kind: goods},
        },
        "billing_address": address,
        "consignments": [] if asked["digital"] else [parcel],
    }


_LONGEST = 300


@require_safe
@waiting_page
def why_not(request: PanelRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\0", "").strip()[:_LONGEST]
    asks = "amount" in request.GET
    form = WhatIfForm(request.store, request.GET if asks else None)
    context = {
        "text": text,
        "found": _find(request.store, text) if text else None,
        "form": form,
        "answer": _what_if(request.store, form) if asks and form.is_valid() else None,
    }
    return render(request, "payments/why.html", context)
