"""Categories and products excluded from SeQura, found by name in the store's catalogue.

An excluded category excludes all its subcategories. They are looked up when a merchant changes the
list, and once a day, so that a checkout costs no call for them.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import structlog
from django.db import transaction

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.documents import Category
from stores import channels
from stores.clients import bigcommerce_for
from stores.models import Store
from transport.call import Timeout

log = structlog.get_logger(__name__)

_Kind = Literal["category", "product"]
_COLUMNS: dict[_Kind, str] = {"category": "excluded_categories", "product": "excluded_products"}
# For calls during a page request: seconds to connect, and to answer.
_BRIEF: Timeout = (2, 4)
_MOST = 20


class Thing(NamedTuple):
    """A category (key: its id) or a product (key: its SKU)."""

    kind: _Kind
    key: str
    name: str
    excluded: bool = False


def _keys(store: Store, kind: _Kind, channel: int | None) -> list[Any]:
    """Return what the store excludes, or a storefront."""
    column = _COLUMNS[kind]
    own = {} if channel is None else channels.own(store, channel)
    return list(own.get(column, getattr(store, column)))


def excluded(store: Store, kind: _Kind, channel: int | None = None) -> list[Thing]:
    """Return what is excluded, with names as far as they are known."""
    names = store.catalogue_names
    keys = [str(key) for key in _keys(store, kind, channel)]
    things = [Thing(kind, key, names.get(f"{kind} {key}", ""), excluded=True) for key in keys]
    return sorted(things, key=lambda thing: (thing.name.casefold(), thing.key))


def search(store: Store, text: str, channel: int | None = None) -> list[Thing]:
    """Return categories and products whose name contains `text`. Raise Rejected, Unavailable."""
    api = bigcommerce_for(store, _BRIEF)
    categories = [
        Thing("category", str(row["category_id"]), row["name"])
        for row in api.categories(text)[:_MOST]
    ]
    products = [
        Thing("product", row["sku"].strip(), row["name"])
        for row in api.search_products(text, _MOST)
        if row.get("sku", "").strip()
    ]
    return [_marked(store, thing, channel) for thing in categories + products]


def _marked(store: Store, thing: Thing, channel: int | None) -> Thing:
    keys = {str(key).casefold() for key in _keys(store, thing.kind, channel)}
    return thing._replace(excluded=thing.key.casefold() in keys)


def has_own(store: Store, channel: int) -> bool:
    """Return whether the storefront excludes other things than the store."""
    return bool(channels.own(store, channel).keys() & _COLUMNS.values())


def exclude(
    store: Store, kind: _Kind, key: int | str, name: str, channel: int | None = None
) -> None:
    """Exclude this category or product from SeQura, in the store or in a storefront.

    Repeating it is no error. Call `refresh` after a category.
    """
    with transaction.atomic():
        store = Store.objects.select_for_update().get(pk=store.pk)
        keys = _keys(store, kind, channel)
        store.catalogue_names[f"{kind} {key}"] = name
        _keep(store, kind, keys if key in keys else [*keys, key], channel)


def allow(store: Store, kind: _Kind, key: int | str, channel: int | None = None) -> None:
    """Offer SeQura for it again. Call `refresh` after a category."""
    with transaction.atomic():
        store = Store.objects.select_for_update().get(pk=store.pk)
        keys = [one for one in _keys(store, kind, channel) if one != key]
        _keep(store, kind, keys, channel)


def _keep(store: Store, kind: _Kind, keys: list[Any], channel: int | None) -> None:
    """Store a list, and no names but those of what the store or a storefront excludes."""
    column = _COLUMNS[kind]
    if channel is None:
        setattr(store, column, keys)
    else:
        copied = {} if column in channels.own(store, channel) else channels.of_store(store, column)
        channels.change(store, channel, {**copied, column: keys})
    own = store.channel_settings.values()
    lists = [getattr(store, column), *(one.get(column, ()) for one in own)]
    kept = {f"{kind} {key}" for one in lists for key in one}
    names = store.catalogue_names.items()
    store.catalogue_names = {
        name: text for name, text in names if name in kept or not name.startswith(kind)
    }
    store.save(update_fields=[column, "catalogue_names"])


def refresh(store: Store) -> None:
    """Read the subcategories of excluded categories, and their names.

    When BigCommerce fails, the stored ones stay until the next day.
    """
    rows: list[Category] = []
    roots = {number for one in channels.excluded_lists(store).values() for number in one}
    if roots:
        if not store.is_installed:
            return
        try:
            rows = bigcommerce_for(store, _BRIEF).categories()
        except (Rejected, Unavailable) as error:
            log.warning("categories_unknown", store=store.hash, reason=str(error))
            return
    names = {f"category {row['category_id']}": row.get("name", "") for row in rows}
    kept = {f"category {number}" for number in roots}
    store.excluded_subcategories = _below(store.excluded_categories, rows)
    store.catalogue_names |= {key: name for key, name in names.items() if key in kept}
    store.save(update_fields=["excluded_subcategories", "catalogue_names"])
    channels.keep_subcategories(store, lambda own: _below(own, rows))


def _below(roots: Iterable[int], categories: Iterable[Any]) -> list[int]:
    """The ids of every category under these, at any depth. A circle ends where it began."""
    children: dict[int, list[int]] = {}
    for row in categories:
        children.setdefault(int(row.get("parent_id") or 0), []).append(int(row["category_id"]))
    seen, todo = set(roots), list(roots)
    found: set[int] = set()
    while todo:
        for child in children.get(todo.pop(), []):
            if child not in seen:
                seen.add(child)
                found.add(child)
                todo.append(child)
    return sorted(found)
