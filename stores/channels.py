"""The settings of one storefront: its own where it has some, else the store's.

They stand in the store's row, so that whoever holds a store holds them without another statement:
see docs/adr/0026. What an order was bought with (account, merchant id, amount) is a fact of its own
row and never follows a setting.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from stores.models import SELLING_COUNTRIES, Merchant, Store

# In the settings' document and history: the storefront has nothing of its own.
INHERIT: Final = "inherit"
# The selling countries are no column of Store, but rows of Merchant.
COUNTRIES: Final = "countries"
_SUBCATEGORIES: Final = "excluded_subcategories"


class ChannelSettings:
    """Reads the settings that a storefront may have of its own."""

    def __init__(self, store: Store, channel_id: int) -> None:
        self.store, self.own = store, own(store, channel_id)

    def _value(self, column: str) -> Any:
        return self.own[column] if column in self.own else getattr(self.store, column)

    @property
    def status_approved(self) -> int | None:
        status: int | None = self._value("status_approved")
        return status

    @property
    def status_needs_review(self) -> int | None:
        status: int | None = self._value("status_needs_review")
        return status

    @property
    def status_cancelled(self) -> int | None:
        status: int | None = self._value("status_cancelled")
        return status

    @property
    def shipped_statuses(self) -> list[int]:
        statuses: list[int] = self._value("shipped_statuses")
        return statuses

    @property
    def cancelling_statuses(self) -> list[int]:
        statuses: list[int] = self._value("cancelling_statuses")
        return statuses

    @property
    def excluded_products(self) -> list[str]:
        skus: list[str] = self._value("excluded_products")
        return skus

    @property
    def excluded_categories(self) -> list[int]:
        """Return the excluded categories and every category below them."""
        if "excluded_categories" in self.own:
            return [*self.own["excluded_categories"], *self.own.get(_SUBCATEGORIES, ())]
        return [*self.store.excluded_categories, *self.store.excluded_subcategories]


def own(store: Store, channel_id: int) -> Mapping[str, Any]:
    """Return what the storefront has of its own, by column."""
    found: Mapping[str, Any] = store.channel_settings.get(str(channel_id), {})
    return found


def of_store(store: Store, column: str) -> dict[str, Any]:
    """Return a list of the store's as a storefront copies it, with the categories below."""
    copied = {column: getattr(store, column)}
    if column == "excluded_categories":
        copied[_SUBCATEGORIES] = store.excluded_subcategories
    return copied


def change(store: Store, channel_id: int, values: Mapping[str, Any]) -> None:
    """Set a storefront's own values by column; INHERIT removes one. Other storefronts stay."""
    with transaction.atomic():
        locked = Store.objects.select_for_update().only("channel_settings").get(pk=store.pk)
        store.channel_settings = locked.channel_settings
        kept = {**own(store, channel_id), **values}
        kept = {column: value for column, value in kept.items() if value != INHERIT}
        if "excluded_categories" not in kept:
            kept.pop(_SUBCATEGORIES, None)
        others = {key: one for key, one in store.channel_settings.items() if key != str(channel_id)}
        store.channel_settings = others | ({str(channel_id): kept} if kept else {})
        store.save(update_fields=["channel_settings"])


def excluded_lists(store: Store) -> dict[str, list[int]]:
    """Return the categories that the store excludes, and those of storefronts with their own."""
    own = {
        key: values["excluded_categories"]
        for key, values in store.channel_settings.items()
        if "excluded_categories" in values
    }
    return {"": store.excluded_categories, **own}


def keep_subcategories(store: Store, below: Callable[[list[int]], list[int]]) -> None:
    """Store the categories below those that each storefront excludes."""
    for key, values in store.channel_settings.items():
        roots = values.get("excluded_categories")
        if roots is not None and values.get(_SUBCATEGORIES) != (found := below(roots)):
            change(store, int(key), {_SUBCATEGORIES: found})


def in_use(store: Store) -> QuerySet[Merchant]:
    """Return the merchant ids with which any storefront sells."""
    wanted = Q(selling=True)
    for values in store.channel_settings.values():
        for country, ref in values.get(COUNTRIES, {}).items():
            wanted |= Q(country=country, ref=ref)
    found = store.merchants.filter(wanted, country__in=SELLING_COUNTRIES)
    return found.exclude(connection__state="archived").order_by("-pk")


def selling_in(store: Store, channel_id: int, merchants: Iterable[Merchant]) -> dict[str, Merchant]:
    """Return the merchant id of each country in which the storefront sells, out of those in use.

    One that SeQura no longer gives the account sells nothing: another would be another contract.
    """
    chosen = own(store, channel_id).get(COUNTRIES)
    if chosen is None:
        return {one.country: one for one in merchants if one.selling}
    return {one.country: one for one in merchants if chosen.get(one.country) == one.ref}


def lost_merchants(store: Store, channel_id: int) -> list[str]:
    """Return the merchant ids of a storefront that SeQura no longer gives to the account."""
    chosen = own(store, channel_id).get(COUNTRIES, {})
    found = {(one.country, one.ref) for one in in_use(store)} if chosen else set()
    return [ref for country, ref in chosen.items() if (country, ref) not in found]


def switch(store: Store, channel_id: int, *, on: bool) -> None:
    """Offer SeQura in a storefront, or keep it off there."""
    with transaction.atomic():
        locked = Store.objects.select_for_update().only("disabled_channels").get(pk=store.pk)
        others = [one for one in locked.disabled_channels if one != channel_id]
        store.disabled_channels = others if on else [*others, channel_id]
        store.save(update_fields=["disabled_channels"])


def names_with_own(store: Store, *columns: str) -> list[str]:
    """Return the storefronts that have one of these settings of their own, by name."""
    found = [int(key) for key, own in store.channel_settings.items() if {*columns} & {*own}]
    return [name_of(store, number) for number in sorted(found)]


def names(store: Store) -> dict[int, str]:
    """Return the name of each storefront that is open, by id."""
    return {one["id"]: one["name"] or _numbered(one["id"]) for one in store.channels}


def name_of(store: Store, channel_id: int) -> str:
    """Return the name of a storefront, which may be closed since."""
    return names(store).get(channel_id) or _numbered(channel_id)


def _numbered(channel_id: int) -> str:
    return _("Storefront %(id)s") % {"id": channel_id}
