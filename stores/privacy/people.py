"""Answer a person who asks what the database holds about them, or wants it erased.

A person is named by an e-mail address, or by the number of an order. Rows belong to the person when
they mention the address, or when they are about a purchase that does. What BigCommerce and SeQura
hold is theirs to erase. See docs/privacy.md.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import apps
from django.db import transaction
from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from stores.lifecycle import store_apps
from stores.models import Store
from stores.privacy.personal_data import TABLES, erase_rows

log = structlog.get_logger(__name__)
_Found = dict[str, list[int]]  # the keys of the rows, by table

# The tables whose rows stand for a purchase. What else mentions an address may be about another's.
_PURCHASES = ("payments.Solicitation", "orders.Order", "orders.Correction")
_LINKS = ("reference", "order", "checkout")


@dataclass(frozen=True, kw_only=True)
class Person:
    """Whose data: a shopper or user of a store, by e-mail address or by order."""

    store: Store
    email: str = ""
    order: int | None = None


def find(person: Person) -> _Found:
    """Return the rows that hold data of this person."""
    mentions = _mentions(person) if person.email else {}
    links: dict[str, set[Any]] = {name: set() for name in _LINKS}
    if person.order is not None:
        links["order"].add(person.order)
    _follow(person.store, mentions, links)
    found = {}
    for label, rows in _tables(person.store):
        belongs = Q(pk__in=mentions.get(label, ()))
        for name, values in links.items():
            if column := getattr(TABLES[label], name):
                belongs |= Q(**{f"{column}__in": values})
        if keys := sorted(rows.filter(belongs).values_list("pk", flat=True)):
            found[label] = keys
    return found


def _tables(store: Store) -> Iterator[tuple[str, QuerySet[Model]]]:
    """Yield every table with personal data, and the rows of the store."""
    for label, table in TABLES.items():
        if table.people:
            yield label, QuerySet[Model](apps.get_model(label)).filter(**{table.owner: store.pk})


def _mentions(person: Person) -> _Found:
    """Return the rows in which the address stands, and not as a part of a longer one."""
    address = rf"(?<![\w.+%-]){re.escape(person.email.strip())}(?!\.?[\w-])"
    found = {}
    for label, rows in _tables(person.store):
        texts = {f"_{name}": Cast(name, TextField()) for name in TABLES[label].people}
        is_mentioned = Q()
        for name in texts:
            is_mentioned |= Q(**{f"{name}__iregex": address})
        mentioning = rows.annotate(**texts).filter(is_mentioned)
        found[label] = list(mentioning.values_list("pk", flat=True))
    return found


def _follow(store: Store, mentions: Mapping[str, Collection[int]], links: dict[str, Any]) -> None:
    """Add what else the purchases of these rows are known by."""
    for label, rows in _tables(store):
        if label not in _PURCHASES:
            continue
        belongs = Q(pk__in=mentions.get(label, ()))
        if (column := TABLES[label].order) and links["order"]:
            belongs |= Q(**{f"{column}__in": links["order"]})
        columns = {name: getattr(TABLES[label], name) for name in _LINKS}
        named = {name: column for name, column in columns.items() if column}
        for row in rows.filter(belongs).values(*named.values()):
            for name, column in named.items():
                links[name] |= {row[column]} - {None, ""}


def export(person: Person) -> dict[str, Any]:
    """Return all that the database holds about this person, by table."""
    found, tables = find(person), {}
    for label, keys in found.items():
        model, table = apps.get_model(label), TABLES[label]
        links = [column for name in _LINKS if (column := getattr(table, name))]
        dates = [name for name in table.dates if "__" not in name]
        columns = [*links, *dates, *table.people]
        rows = QuerySet[Model](model).filter(pk__in=keys).order_by("pk")
        tables[label] = list(rows.values("pk", *dict.fromkeys(columns)))
    return {**_heading(person), "counts": _counts(found), "tables": tables}


def _counts(found: _Found) -> dict[str, int]:
    return {label: len(keys) for label, keys in found.items()}


def _heading(person: Person) -> dict[str, Any]:
    named = {"email": person.email} if person.email else {"order": person.order}
    return {"store": person.store.hash, "person": named, "at": timezone.now()}


@transaction.atomic
def erase(person: Person) -> dict[str, Any]:
    """Erase what the database holds about this person. Return the proof: rows counted by table.

    `left` are rows that payments under way still need, and events that are not folded yet. Once
    those are over the request can be repeated.
    """
    found = find(person)
    kept = {one for app in store_apps() for one in app.references_under_way(person.store)}
    erased = {label: erase_rows(label, keys, kept) for label, keys in found.items()}
    left = {label: count for label, keys in found.items() if (count := _holding(label, keys))}
    log.info("personal_data_erased", store=person.store.hash, count=sum(erased.values()))
    return {**_heading(person), "found": _counts(found), "erased": erased, "left": left}


def _holding(label: str, keys: Collection[int]) -> int:
    """Return how many of these rows still hold personal data."""
    table = TABLES[label]
    rows = QuerySet[Model](apps.get_model(label)).filter(pk__in=keys)
    return (rows if table.holding is None else rows.filter(table.holding)).count()
