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


def excluded(store: Store, kind: _Kind) -> list[Thing]:
    """Return what is excluded, with names as far as they are known."""
    names = store.catalogue_names
    keys = [str(key) for key in getattr(store, _COLUMNS[kind])]
    things = [Thing(kind, key, names.get(f"{kind} {key}", ""), excluded=True) for key in keys]
    return sorted(things, key=lambda thing: (thing.name.casefold(), thing.key))


def search(store: Store, text: str) -> list[Thing]:
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
    return [_marked(store, thing) for thing in categories + products]


def _marked(store: Store, thing: Thing) -> Thing:
    keys = {str(key).casefold() for key in getattr(store, _COLUMNS[thing.kind])}
    return thing._replace(excluded=thing.key.casefold() in keys)


def exclude(store: Store, kind: _Kind, key: int | str, name: str) -> None:
    """Exclude this category or product from SeQura. Repeating it is no error.

    Call `refresh` after a category.
    """
    with transaction.atomic():
        store = Store.objects.select_for_update().get(pk=store.pk)
        keys = getattr(store, _COLUMNS[kind])
        if key not in keys:
            keys.append(key)
        store.catalogue_names[f"{kind} {key}"] = name
        store.save(update_fields=[_COLUMNS[kind], "catalogue_names"])


def allow(store: Store, kind: _Kind, key: int | str) -> None:
    """Offer SeQura for it again. Call `refresh` after a category."""
    with transaction.atomic():
        store = Store.objects.select_for_update().get(pk=store.pk)
        column = _COLUMNS[kind]
        setattr(store, column, [one for one in getattr(store, column) if one != key])
        store.catalogue_names.pop(f"{kind} {key}", None)
        store.save(update_fields=[column, "catalogue_names"])


def refresh(store: Store) -> None:
    """Read the subcategories of excluded categories, and their names.

    When BigCommerce fails, the stored ones stay until the next day.
    """
    rows: list[Category] = []
    roots = channels.excluded_roots(store)
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
