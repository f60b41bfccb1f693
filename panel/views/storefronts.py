"""The storefronts of a store: what each sets for itself, and those that were opened since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from panel.forms import StorefrontForm
from panel.notices import show
from panel.session import PanelRequest, waiting_page
from stores import catalogue, channels, connect, registration, statuses
from stores.channels import COUNTRIES
from stores.models import Store
from stores.settings_file import BY_CHANNEL
from stores.store_settings import recorded
from transaction_log.explanations import Text


@dataclass(frozen=True)
class _Storefront:
    """A row of the list."""

    id: int
    name: str
    is_off: bool
    is_new: bool
    own: list[Text]  # labels of what it sets for itself
    lost: list[str]  # its merchant ids that SeQura does not give to the account


def _listed(store: Store) -> list[_Storefront]:
    """Return the storefronts that are open, and closed ones that keep settings."""
    names = channels.names(store)
    kept = {int(key): channels.name_of(store, int(key)) for key in store.channel_settings}
    new = {one["id"] for one in store.channels if one.get("new")}
    return [
        _Storefront(
            id=number,
            name=name,
            is_off=number in store.disabled_channels,
            is_new=number in new,
            own=_labels(channels.own(store, number)),
            lost=channels.lost_merchants(store, number),
        )
        for number, name in sorted({**kept, **names}.items())
    ]


def _labels(own: Mapping[str, Any]) -> list[Text]:
    found: list[Text] = [_("Selling countries")] if COUNTRIES in own else []
    return found + [setting.label for setting in BY_CHANNEL if setting.column in own]


@require_safe
@waiting_page
def storefronts(request: PanelRequest) -> HttpResponse:
    is_read = registration.find_storefronts(request.store)
    context = {"storefronts": _listed(request.store), "is_read": is_read}
    return render(request, "stores/storefronts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@waiting_page
def storefront(request: PanelRequest, channel_id: int) -> HttpResponse:
    """Show and save what one storefront sets for itself."""
    store = request.store
    if channel_id not in {one.id for one in _listed(store)}:
        raise Http404
    data = request.POST if request.method == "POST" else None
    form = StorefrontForm(store, channel_id, connect.available(store), data)
    if data is not None and form.is_valid():
        categories = channels.excluded_lists(store)
        with recorded(store, request.author):
            channels.change(store, channel_id, form.values())
        if channels.excluded_lists(store) != categories:
            catalogue.refresh(store)
        return show(request, "storefronts", "saved")
    own = channels.ChannelSettings(store, channel_id)
    context = {
        "form": form,
        "warnings": statuses.warnings(store, own) if own.own else [],
        "id": channel_id,
        "name": channels.name_of(store, channel_id),
        "lost": channels.lost_merchants(store, channel_id),
    }
    return render(request, "stores/storefront.html", context, status=400 if form.errors else 200)


@require_POST
@waiting_page
def decide_storefront(request: PanelRequest, channel_id: int) -> HttpResponse:
    """Offer SeQura in a storefront that was opened since, or keep it off there.

    The script is placed either way: switching SeQura on later needs no more than the setting.
    """
    store, is_offered = request.store, "offer" in request.POST
    if channel_id not in channels.names(store):
        raise Http404
    with recorded(store, request.author):
        channels.switch(store, channel_id, on=is_offered)
    healthy = registration.register(store, wait=0, accepted=frozenset({channel_id}))
    if not healthy:
        return show(request, "dashboard", "not_repaired")
    return show(request, "storefronts", "storefront_on" if is_offered else "storefront_off")
