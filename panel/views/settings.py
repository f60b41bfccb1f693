"""The merchant's settings: who sees SeQura, what statuses mean, when reports and alerts go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.models import Mail, Recipient
from alerts.tasks import ask_for_confirmation, send_alerts, send_test
from bigcommerce.api import Rejected, Unavailable
from orders.nightly import next_moment
from panel import figures
from panel.forms import (
    AlertsForm,
    AudienceForm,
    ExclusionForm,
    GeneralForm,
    RecipientForm,
    ReportsForm,
    StatusesForm,
    WebhookForm,
)
from panel.notices import show
from panel.session import PanelRequest, panel_page, waiting_page
from payments.balance import may_ask
from stores import catalogue, channels, connect, statuses, store_settings
from stores.clients import bigcommerce_for
from stores.install import CHANGE_CUSTOMERS, READ_CUSTOMERS, missing_scopes
from stores.models import SettingChange, Store, country_name, new_secret
from stores.rate_limit import LIMITS, KeyLimit, RateLimited, consume
from stores.settings_file import (
    ALERTS,
    SETTINGS,
    STATISTICS,
    WIDGET_PLACES,
    WIDGET_SELECTORS,
    WIDGET_THEME,
)
from stores.store_settings import recorded
from stores.tasks import wake
from transaction_log.explanations import Text
from transport.call import Timeout

_BRIEF: Timeout = (2, 4)  # seconds: somebody waits for the page
# What a contract with SeQura may hold that concerns carts in which nothing is shipped.
_SERVICES = "services"
_OF_SERVICES = {
    "with_first_charge": "allow_first_instalment_delay",
    "with_registration": "with_registration",
}


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def general(request: PanelRequest) -> HttpResponse:
    merchants = connect.selling(request.store)
    countries = [one.country for one in merchants if _SERVICES in one.contract_options]
    data = request.POST if request.method == "POST" else None
    form = GeneralForm(request.store, data, services=bool(countries))
    if data is not None and form.is_valid():
        form.save(request.store, request.author)
        return show(request, "settings", "saved")
    context = {
        "form": form,
        "services": countries,
        "must_not_correct": CHANGE_CUSTOMERS in missing_scopes(request.store),
        "sees_certificates": may_ask(request.store),
        **{
            name: any(option in one.contract_options for one in merchants)
            for name, option in _OF_SERVICES.items()
        },
    }
    return render(request, "stores/general.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@waiting_page
def audience(request: PanelRequest) -> HttpResponse:
    """Show and save which customers do not see SeQura."""
    store = request.store
    groups, problem = _groups(store)
    data = request.POST if request.method == "POST" else None
    form = AudienceForm(store, groups, data)
    if data is not None and form.is_valid():
        form.save(store, request.author)
        return show(request, "audience", "saved")
    context = {
        "form": form,
        "problem": problem,
        "must_not_read": READ_CUSTOMERS in missing_scopes(store),
    }
    return render(request, "stores/audience.html", context, status=400 if form.errors else 200)


def _groups(store: Store) -> tuple[dict[int, str], str]:
    """Return the names of the store's customer groups, or why BigCommerce did not return them."""
    try:
        rows = bigcommerce_for(store, _BRIEF).customer_groups()
    except Rejected as refusal:
        return {}, _("BigCommerce answered: %(words)s") % {"words": refusal.message}
    except Unavailable:
        return {}, _("BigCommerce didn't respond. Try again in a moment.")
    return {row["id"]: row.get("name") or str(row["id"]) for row in rows if row.get("id")}, ""


@require_http_methods(["GET", "HEAD", "POST"])
@waiting_page
def order_statuses(request: PanelRequest) -> HttpResponse:
    store = request.store
    known = bool(store.status_labels) or statuses.refresh(store)
    data = request.POST if request.method == "POST" else None
    form = StatusesForm(store, data)
    if data is not None and form.is_valid():
        form.save(store, request.author)
        return show(request, "order_statuses", "saved")
    context = {
        "own": channels.names_with_own(store, *StatusesForm.columns),
        "in_review": len(figures.in_review(store)),
        "form": form,
        "known": known,
        "mapping_warnings": statuses.mapping_warnings(store),
        "shipped_warnings": statuses.shipped_warnings(store),
        "cancelling_warnings": statuses.cancelling_warnings(store),
    }
    status = 400 if form.errors else 200
    return render(request, "stores/order_statuses.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def report_settings(request: PanelRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = ReportsForm(request.store, data)
    if data is not None and form.is_valid():
        form.save(request.store, request.author)
        return show(request, "report_settings", "saved")
    next_at = next_moment(request.store, timezone.now()) if request.store.reports_enabled else None
    context = {"form": form, "next_at": next_at}
    return render(request, "stores/reports.html", context, status=400 if form.errors else 200)


@require_POST
@panel_page
def new_report_address(request: PanelRequest) -> HttpResponse:
    """The address is a secret; a new one makes the old one useless."""
    request.store.report_token = new_secret()
    with recorded(request.store, request.author):
        request.store.save(update_fields=["report_token"])
    return show(request, "report_settings", "address")


# Categories and products for which SeQura is not offered, found by name in the catalogue.
_LONGEST = 100


@require_safe
@waiting_page
def exclusions(request: PanelRequest) -> HttpResponse:
    store, channel = request.store, _excluding(request.store, request.GET.get("storefront", ""))
    text = request.GET.get("q", "").replace("\0", "").strip()[:_LONGEST]
    found, problem = _search(request, text, channel) if text else ([], "")
    context = {
        "text": text,
        "found": found,
        "problem": problem,
        "categories": catalogue.excluded(store, "category", channel),
        "products": catalogue.excluded(store, "product", channel),
        "storefront": channel,
        "storefront_name": channels.name_of(store, channel) if channel else "",
        "excluding": [
            (one, channels.name_of(store, one)) for one in map(int, store.channel_settings)
            if catalogue.has_own(store, one)
        ],
    }  # fmt: skip
    return render(request, "stores/exclusions.html", context)


def _excluding(store: Store, asked: str) -> int | None:
    """Return the storefront whose exclusions are asked for; None for the store's."""
    is_number = asked.isascii() and asked.isdigit() and len(asked) < 10
    return int(asked) if is_number and catalogue.has_own(store, int(asked)) else None


def _search(
    request: PanelRequest, text: str, channel: int | None
) -> tuple[list[catalogue.Thing], str]:
    try:
        return catalogue.search(request.store, text, channel), ""
    except Rejected as refusal:
        words = _("BigCommerce rejected the search: %(words)s") % {"words": refusal.message}
        return [], words
    except Unavailable:
        return [], _("BigCommerce didn't respond. Search again in a moment.")


@require_POST
@waiting_page
def change_exclusions(request: PanelRequest) -> HttpResponse:
    form = ExclusionForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    kind, key = form.cleaned_data["kind"], form.cleaned_data["key"]
    store, is_excluded = request.store, form.cleaned_data["action"] == "exclude"
    channel = form.cleaned_data["storefront"]
    if channel is not None and not catalogue.has_own(store, channel):
        raise BadRequest  # it has inherited the store's again meanwhile
    with recorded(store, request.author):
        if is_excluded:
            catalogue.exclude(store, kind, key, form.cleaned_data["name"], channel)
        else:
            catalogue.allow(store, kind, key, channel)
    if kind == "category":
        store.refresh_from_db()
        catalogue.refresh(store)
    return _back(request, "excluded" if is_excluded else "allowed")


def _back(request: PanelRequest, word: str) -> HttpResponse:
    """Return to the page with the search and the storefront as they were."""
    query = {"done": word}
    for name in ("q", "storefront"):
        if text := request.POST.get(name, "")[:_LONGEST]:
            query[name] = text
    address = reverse("exclusions", args=[request.panel_token])
    return redirect(f"{address}?{urlencode(query)}")


# Who changed which setting, and when.
_HOURS = {hour: f"{hour:02d}:00" for hour in range(24)}
_SHOWN = 100
_LABELS: dict[str, Text] = {
    store_settings.ENVIRONMENT: gettext_lazy("Environment"),
    store_settings.ACCOUNTS: gettext_lazy("SeQura account"),
    store_settings.PASSWORDS: gettext_lazy("Password"),
    store_settings.COUNTRIES: gettext_lazy("Selling countries"),
    store_settings.TRIGGER: gettext_lazy("Trigger URL"),
    store_settings.ALERT_SECRET: gettext_lazy("Signing secret"),
    **{setting.key: setting.label for setting in SETTINGS},
    # These are stored as what is off, while their forms show what is on.
    "general.disabled_channels": gettext_lazy("Storefronts without SeQura"),
    "reports.statistics_without": gettext_lazy("Not included for each order"),
    "alerts.without": gettext_lazy("No alert when"),
}
# Labels that are clear on their own page only.
_SECTIONS: dict[str, Text] = {
    "order_statuses": gettext_lazy("Order status settings"),
    "reports": gettext_lazy("Reports"),
    "alerts": gettext_lazy("Alerts"),
    "log": gettext_lazy("Transaction log"),
    "widgets": gettext_lazy("Promotional widgets"),
}
_ENVIRONMENTS: dict[str, Text] = {
    "live": gettext_lazy("Live"),
    "sandbox": gettext_lazy("Sandbox"),
}


@dataclass(frozen=True)
class _Change:
    """A row of the history, in the reader's language."""

    row: SettingChange
    label: Text
    before: str
    after: str
    can_undo: bool  # the newest change of this setting, whose earlier value is known


@require_safe
@panel_page
def settings_history(request: PanelRequest) -> HttpResponse:
    rows = list(request.store.setting_changes.order_by("-id")[:_SHOWN])
    seen: set[str] = set()
    changes = []
    for row in rows:
        label = _label(request.store, row.key)
        before, after = (_value(request.store, row.key, one) for one in (row.before, row.after))
        is_newest = row.key not in seen and store_settings.can_undo(row)
        changes.append(_Change(row, label, before, after, is_newest))
        seen.add(row.key)
    return render(request, "stores/history.html", {"changes": changes})


@require_POST
@panel_page
def undo_setting(request: PanelRequest, change_id: int) -> HttpResponse:
    """Set a setting back, unless it has changed since or the old value is valid no more."""
    change = get_object_or_404(request.store.setting_changes, pk=change_id)
    try:
        is_undone = store_settings.undo(request.store, change, request.author)
    except store_settings.Refused:
        is_undone = False
    return show(request, "settings_history", "undone" if is_undone else "not_undone")


def _label(store: Store, key: str) -> Text:
    if found := store_settings.of_channel(key):
        channel, key = found
        return f"{channels.name_of(store, channel)}: {_label(store, key)}"
    label, section = _LABELS.get(key, key), _SECTIONS.get(key.partition(".")[0])
    return f"{section}: {label}" if section else label


def _value(store: Store, key: str, value: Any) -> str:
    """Return a setting's value as its form shows it; of a secret, that there was one."""
    if key in store_settings.SECRET:
        return "•••"
    if found := store_settings.of_channel(key):
        _channel, key = found
        if value == channels.INHERIT:
            return _("As in the store")
    if isinstance(value, bool):
        return _("On") if value else _("Off")
    if isinstance(value, dict):
        return _pairs(value)
    if isinstance(value, list):
        return ", ".join(_one(store, key, one) for one in value) or "–"
    return _one(store, key, value)


def _pairs(value: dict[str, Any]) -> str:
    """Return what a setting holds by name: a country, or a part of the promotional widgets."""
    names: dict[str, object] = {name: label for name, (label, _p, _u) in WIDGET_THEME.items()}
    names |= WIDGET_SELECTORS
    shown = [
        f"{WIDGET_PLACES.get(name, name)}: {', '.join(one)}"
        if isinstance(one, list)
        else f"{names.get(name) or country_name(name)}: {one}"
        for name, one in value.items()
    ]
    return ", ".join(shown) or "–"


def _one(store: Store, key: str, value: Any) -> str:
    """Return one value, or one of a list, by the name that the merchant knows."""
    if value is None:
        return _("None (don't change the status)")
    if "statuses" in key:
        return statuses.label(store, value)
    names: dict[str, Mapping[Any, object]] = {
        store_settings.ENVIRONMENT: _ENVIRONMENTS,
        "general.disabled_channels": {one["id"]: one["name"] for one in store.channels},
        "general.excluded_categories": _names_of(store, "category"),
        "general.excluded_products": _names_of(store, "product"),
        "reports.statistics_without": STATISTICS,
        "alerts.without": ALERTS,
        **dict.fromkeys(("reports.hour", "alerts.quiet_from", "alerts.quiet_until"), _HOURS),
    }
    return str(names.get(key, {}).get(value) or value)


def _names_of(store: Store, kind: str) -> dict[Any, str]:
    known = store.catalogue_names.items()
    found = {key.removeprefix(f"{kind} "): name for key, name in known if key.startswith(kind)}
    return {int(key): name for key, name in found.items()} if kind == "category" else {**found}


_MOST = 5  # addresses of a store
_DELIVERIES = 5  # requests that are shown


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def alerts(request: PanelRequest) -> HttpResponse:
    """Show the page, and save what is sent and when."""
    data = request.POST if request.method == "POST" else None
    form = AlertsForm(request.store, data)
    if data is not None and form.is_valid():
        form.save(request.store, request.author)
        return show(request, "alerts", "saved")
    return _page(request, form=form)


@require_POST
@panel_page
def alert_webhook(request: PanelRequest) -> HttpResponse:
    """Save the webhook's address, replace its secret, or send it a test.

    A new secret is shown in this one answer, and never again.
    """
    store = request.store
    if "test" in request.POST:
        return show(request, "alerts", _test(store))
    if "secret" in request.POST and store.alert_webhook:
        return _with_new_secret(request)
    form = WebhookForm(store, request.POST)
    if not form.is_valid():
        return _page(request, webhook=form)
    form.save(store, request.author)
    if store.alert_webhook and not store.alert_secrets:
        return _with_new_secret(request)
    return show(request, "alerts", "saved")


def _test(store: Store) -> str:
    """Send a test request; return the notice."""
    if not store.alert_webhook:
        return ""
    try:
        consume(f"test of the webhook of {store.pk}", **LIMITS["test of a webhook"])
    except RateLimited:
        return "tested_too_often"
    send_test(store)
    wake(send_alerts)
    return "tested"


def _with_new_secret(request: PanelRequest) -> HttpResponse:
    with recorded(request.store, request.author):
        secret = request.store.replace_alert_secret()
        request.store.save(update_fields=["alert_secrets", "alert_secrets_at"])
    return _page(request, secret=secret)


@require_POST
@panel_page
def add_recipient(request: PanelRequest) -> HttpResponse:
    """Add an address, and ask it whether it wants alerts."""
    form = RecipientForm(request.panel_user, request.POST)
    if form.is_valid() and settings.EMAIL_URL:
        if problem := _add(request.store, **form.cleaned_data):
            form.add_error("address", problem)
        else:
            return show(request, "alerts", "asked")
    return _page(request, adding=form)


def _add(store: Store, address: str, language: str) -> str:
    """Add an address and write the question. Return why not; empty when it is done."""
    if store.recipients.count() >= _MOST:
        return _("You can add up to %(n)s addresses. Remove one first.") % {"n": _MOST}
    if store.recipients.filter(address__iexact=address).exists():
        return _("This address is already on the list.")
    try:
        _count_question(store, address)
        with transaction.atomic():
            _ask(store.recipients.create(address=address, language=language))
    except RateLimited:
        return _("Too many confirmation emails were sent. Try again tomorrow.")
    except IntegrityError:  # a double click
        return ""
    return ""


@require_POST
@panel_page
def change_recipient(request: PanelRequest, recipient_id: int) -> HttpResponse:
    """Remove an address, or ask it again."""
    recipient = get_object_or_404(request.store.recipients, pk=recipient_id)
    if "again" not in request.POST:
        recipient.delete()
        return show(request, "alerts", "removed")
    if recipient.confirmed_at or not settings.EMAIL_URL:
        return show(request, "alerts")
    try:
        _count_question(request.store, recipient.address)
    except RateLimited:
        return show(request, "alerts", "asked_too_often")
    _ask(recipient)
    return show(request, "alerts", "asked")


def _count_question(store: Store, address: str) -> None:
    """Count a question: whoever reads it has not agreed to it yet. Raise RateLimited."""
    name = salted_hmac("alerts.address", address.lower(), algorithm="sha256").hexdigest()[:32]
    consume(
        f"confirmation of {store.pk}",
        **LIMITS["confirmation of a store"],
        also=[KeyLimit(f"confirmation to {name}", **LIMITS["confirmation to"])],
    )


def _ask(recipient: Recipient) -> None:
    ask_for_confirmation(recipient)
    wake(send_alerts)


def _page(
    request: PanelRequest,
    *,
    form: AlertsForm | None = None,
    adding: RecipientForm | None = None,
    webhook: WebhookForm | None = None,
    secret: str = "",
) -> HttpResponse:
    form = form or AlertsForm(request.store)
    adding = adding or RecipientForm(request.panel_user)
    webhook = webhook or WebhookForm(request.store)
    recipients = list(request.store.recipients.order_by("added_at"))
    waiting = Mail.objects.filter(recipient__in=recipients, kind=Mail.CONFIRM)
    context = {
        "form": form,
        "adding": adding,
        "webhook": webhook,
        "secret": secret,
        "deliveries": list(request.store.deliveries.order_by("-id")[:_DELIVERIES]),
        "recipients": recipients,
        "unsent": set(waiting.exclude(next_at=None).values_list("recipient_id", flat=True)),
        "is_set_up": bool(settings.EMAIL_URL),
        "is_full": len(recipients) >= _MOST,
        "most": _MOST,
    }
    status = 400 if form.errors or adding.errors or webhook.errors else 200
    return render(request, "stores/alerts.html", context, status=status)
