"""What the templates of the control panel need: tabs, badges, notices, money, countries."""

from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from panel.notices import Notice, notice_of
from payloads.money import euros
from stores import channels
from stores.models import Store, country_name

register = template.Library()
_DIGITS = 20  # of an order's number


@register.simple_tag(takes_context=True)
def tab(context: dict[str, Any], name: str, label: str, others: str = "", *args: Any) -> str:
    """One tab of the navigation; the page we are on carries `aria-current`.

    `others` are the names of pages that stand behind the same tab; `args` are the page's own.
    """
    return _link(context, "tab", name, label, others, *args)


@register.simple_tag
def storefront(store: Store, channel_id: int | None) -> str:
    """Return where an order was bought; empty in a store with one storefront, where all are."""
    known = {one["id"] for one in store.channels} | {channel_id}
    return channels.name_of(store, channel_id) if channel_id and len(known) > 1 else ""


@register.simple_tag(takes_context=True)
def side_tab(context: dict[str, Any], name: str, label: str, others: str = "") -> str:
    """One page of the settings; `others` are the names of what it answers with itself."""
    return _link(context, "side-tab", name, label, others)


def _link(
    context: dict[str, Any], kind: str, name: str, label: str, others: str, *args: Any
) -> str:
    request = context["request"]
    try:
        href = reverse(name, args=[request.panel_token, *args])
    except NoReverseMatch:
        return ""
    mark = ""
    if request.path == href:
        mark = SafeString(' aria-current="page"')
    elif _is_behind(request, others, href if args else ""):
        mark = SafeString(' aria-current="true"')
    return format_html('<a class="{}" href="{}"{}>{}</a>', kind, href, mark, label)


def _is_behind(request: HttpRequest, pages: str, address: str) -> bool:
    """Are we on one of these pages; of this one thing, where an address names one?"""
    here = request.resolver_match.url_name if request.resolver_match else ""
    return here in pages.split() and request.path.startswith(address)


@register.simple_tag(takes_context=True)
def panel_url(context: dict[str, Any], name: str, *args: Any) -> str:
    """The address of a page within this session."""
    return reverse(name, args=[context["request"].panel_token, *args])


@register.simple_tag(takes_context=True)
def csrf_field(context: dict[str, Any]) -> str:
    """The hidden field that every form of the control panel carries."""
    token = context["request"].panel_csrf
    return format_html('<input type="hidden" name="csrf" value="{}">', token)


@register.inclusion_tag("stores/notice.html", takes_context=True)
def notice(context: dict[str, Any]) -> dict[str, Notice | int | None]:
    """What the form before this page did, named by `?done=` in its redirect; to which order."""
    request = context.get("request")
    if request is None:
        return {}
    about = request.GET.get("about", "")
    order = int(about) if about.isascii() and about.isdigit() and len(about) < _DIGITS else None
    return {"notice": notice_of(request.GET.get("done", "")), "order": order}


@register.simple_tag
def app_version() -> str:
    """The release that runs, for whoever asks for help."""
    return settings.VERSION


@register.simple_tag
def environment_badge(store: Store) -> str:
    """`Sandbox` or `Live`, as everybody must see which money is real."""
    if store.environment == "live":
        return format_html('<span class="badge badge-success">{}</span>', _("Live mode"))
    return format_html('<span class="badge badge-warning">{}</span>', _("Sandbox mode"))


@register.simple_tag
def step_state(icon: str) -> str:
    """What an icon says, in words for those who do not see it."""
    words = {
        "success": _("Done"),
        "todo": _("To do"),
        "warning": _("Warning"),
        "error": _("Needs attention"),
    }
    return format_html('<span class="visually-hidden">({})</span>', words[icon])


@register.filter
def money(cents: int | None) -> str:
    """Cents as euros in the reader's language; nothing for no amount."""
    return "" if cents is None else euros(cents, get_language() or "en")


@register.filter
def round_money(cents: int) -> str:
    """Return an amount beside a chart: `€1,000`, and `€12.50` when there are cents."""
    return euros(cents, get_language() or "en", whole=cents % 100 == 0)


@register.filter(expects_localtime=True)
def day(when: date | None) -> str:
    """`22 Feb 2026`, in the reader's language; nothing for no day."""
    return _written(when, "j M Y")


@register.filter(expects_localtime=True)
def moment(when: datetime | None) -> str:
    """`22 Feb 2026, 18:04`, in the reader's language and the store's time zone."""
    return _written(when, "j M Y, H:i")


@register.filter
def ago(when: datetime) -> str:
    """How long ago, in one unit: `3 days ago`."""
    if timezone.now() - when < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(when, depth=1)}


def _written(when: date | None, style: str) -> str:
    if when is None:
        return ""
    text = date_format(when, style)
    # Django writes every language's months with a capital; only English does.
    return text if (get_language() or "en").startswith("en") else text.lower()


@register.filter
def country(code: str) -> str:
    """A country's name in the reader's language."""
    return country_name(code)
