"""Answer a person who asks what the database holds about them, or wants it erased.

A person is named by an e-mail address, or by the number of an order. Rows belong to the person when
they mention the address, or when they are about a purchase that does. What BigCommerce and SeQura
hold is theirs to erase. See docs/privacy.md.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
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
_Links = dict[str, set[Any]]  # what purchases are known by

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
    links, found = _links(person), {}
    for label, rows in _tables(person.store):
        belongs = _linked(label, links) | Q(pk__in=_mentioning(person, rows, TABLES[label].people))
        if keys := sorted(rows.filter(belongs).values_list("pk", flat=True)):
            found[label] = keys
    return found


def _tables(store: Store) -> Iterator[tuple[str, QuerySet[Model]]]:
    """Yield every table with personal data, and the rows of the store."""
    for label, table in TABLES.items():
        if table.people:
            yield label, QuerySet[Model](apps.get_model(label)).filter(**{table.owner: store.pk})


def _mentioning(person: Person, rows: QuerySet[Model], columns: Iterable[str]) -> list[int]:
    """Return the rows in which the address stands, and not as a part of a longer one."""
    if not person.email:
        return []
    address = rf"(?<![\w.+%-]){re.escape(person.email.strip())}(?!\.?[\w-])"
    texts = {f"_{name}": Cast(name, TextField()) for name in columns}
    is_mentioned = Q()
    for name in texts:
        is_mentioned |= Q(**{f"{name}__iregex": address})
    return list(rows.annotate(**texts).filter(is_mentioned).values_list("pk", flat=True))


def _links(person: Person) -> _Links:
    """Return what the person's purchases are known by.

    A row that names the person may know a purchase by its reference alone, and another row of that
    purchase the number of its order: so this looks again until there is no more.
    """
    links: _Links = {name: set() for name in _LINKS}
    if person.order is not None:
        links["order"].add(person.order)
    purchases = [(label, rows) for label, rows in _tables(person.store) if label in _PURCHASES]
    mentions = {
        label: _mentioning(person, rows, TABLES[label].people.keys() - {*TABLES[label].users})
        for label, rows in purchases
    }
    before = -1
    while (known := sum(map(len, links.values()))) > before:
        before = known
        for label, rows in purchases:
            _add(links, label, rows.filter(_linked(label, links) | Q(pk__in=mentions[label])))
    return links


def _linked(label: str, links: _Links) -> Q:
    """Return the condition for rows that any of these links names."""
    named = [Q(**{f"{column}__in": links[name]}) for name, column in _columns(label).items()]
    return reduce(or_, named, Q(pk__in=()))


def _add(links: _Links, label: str, rows: QuerySet[Model]) -> None:
    """Add what these rows are known by."""
    columns = _columns(label)
    for row in rows.values(*columns.values()):
        for name, column in columns.items():
            links[name] |= {row[column]} - {None, ""}


def _columns(label: str) -> dict[str, str]:
    """Return the columns of a table that name a purchase, by link."""
    return {name: column for name in _LINKS if (column := getattr(TABLES[label], name))}


def export(person: Person) -> dict[str, Any]:
    """Return all that the database holds about this person, by table."""
    found, tables = find(person), {}
    for label, keys in found.items():
        model, table = apps.get_model(label), TABLES[label]
        dates = [name for name in table.dates if "__" not in name]
        columns = [*_columns(label).values(), *dates, *table.people]
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

    `left` are rows that payments under way still need, orders that a worker has or will read, and
    events that are not folded yet. Once those are over the request can be repeated.
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
