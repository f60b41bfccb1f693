"""The log as CSV, streamed: a reader who takes an hour holds no query and no memory of ours."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from panel.log_query import chunks
from panel.session import PanelRequest, panel_error
from panel.templatetags.entries import explained, outcome_name
from stores.models import Store
from stores.rate_limit import Concurrency
from stores.storefronts import order_link, portal_link
from transaction_log.explanations import event_label
from transaction_log.models import Entry

# Excel takes a CSV file for UTF-8 only when it begins with this mark.
BYTE_ORDER_MARK = "\ufeff"
# A cell that begins like this is a formula to a spreadsheet, in full width too.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")
# Spreadsheets divide a line as the language of their user does: by `;` in Spanish, French, Italian
# and Portuguese. What such a divider would turn into a cell of its own must be harmless too.
_DIVIDER = re.compile(r"[;\t|\r\n]")
# Dividers, blanks and quotes in a row, and what comes after them. It starts where the row does, so
# that no character is read twice.
_BETWEEN_CELLS = re.compile(r"""(?<![\s"';|])([\s"';|]+)([=+\-@%＝＋－＠])?""")


P = ParamSpec("P")
# Files that one store reads at once, of a process: half of what `sequra_bc.bulkheads` lets through.
_FILES_OF_A_STORE = 2
_files = Concurrency(_FILES_OF_A_STORE)


def few_per_store(
    view: Callable[Concatenate[PanelRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """A view that answers with a file; its place is free when the file is read or given up."""

    @wraps(view)
    def file(request: PanelRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        with ExitStack() as place:
            if not place.enter_context(_files.entered(request.store.pk)):
                return _too_many(request)
            response = view(request, *args, **kwargs)
            vars(response)["_resource_closers"].append(place.pop_all().close)
            return response

    return file


def _too_many(request: PanelRequest) -> HttpResponseBase:
    page = panel_error(
        request,
        429,
        _("The file isn't ready"),
        _(
            "Other files for your store are being downloaded. Wait until one is done, then try"
            " again."
        ),
        request.store,
    )
    page["Retry-After"] = "10"
    return page


class _Line:
    """What csv.writer writes to: hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def harmless(value: object) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe in front makes it plain text."""
    text = str(value).replace("\0", "")
    if _DIVIDER.search(text):
        text = _BETWEEN_CELLS.sub(_disarmed, text)
    risky = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if risky else text


def _disarmed(found: re.Match[str]) -> str:
    """An apostrophe after each divider behind which, blanks and quotes aside, a formula begins."""
    between, formula = found[1], found[2] or ""
    harmful, reversed_ = bool(formula), [formula]
    for character in reversed(between):
        if harmful and _DIVIDER.match(character):
            reversed_.append("'")
        reversed_.append(character)
        harmful = character == "|" or (harmful and character != ";")
    return "".join(reversed(reversed_))


def csv_lines(store: Store, entries: QuerySet[Entry], language: str) -> Iterator[str]:
    """The file, some hundred lines at a time, in this language and the current time zone.

    It is read after the view has returned, so both are fixed now.
    """
    return _lines(store, entries, language, timezone.get_current_timezone())


def csv_file(rows: Iterable[Iterable[object]]) -> str:
    """Return a short file as a whole."""
    return BYTE_ORDER_MARK + _file(rows)


def _lines(store: Store, entries: QuerySet[Entry], language: str, zone: tzinfo) -> Iterator[str]:
    yield BYTE_ORDER_MARK + _file([_heading(language)])
    for chunk in chunks(entries):
        with translation.override(language):
            text = _file(_row(store, entry, zone) for entry in chunk)
        yield text


def _file(rows: Iterable[Iterable[object]]) -> str:
    writer: Any = csv.writer(_Line())
    return "".join(writer.writerow([harmless(cell) for cell in row]) for row in rows)


def _heading(language: str) -> list[str]:
    with translation.override(language):
        return [
            _("Date and time"),
            _("Order"),
            _("SeQura reference"),
            _("Environment"),
            _("Payment method"),
            _("Event"),
            _("Status"),
            _("Reason"),
            _("SeQura's message"),
            _("What happened"),
            _("What to do"),
            _("Still to ship"),
            _("Shipped"),
            _("Attempts"),
            _("Last attempt"),
            _("Closed"),
            _("Dismissed by"),
            _("Note"),
            "BigCommerce",
            "SeQura",
        ]


def _row(store: Store, entry: Entry, zone: tzinfo) -> list[object]:
    explanation = explained(entry)
    return [
        _moment(entry.at, zone),
        "" if entry.bigcommerce_id is None else entry.bigcommerce_id,
        entry.reference or "",
        entry.environment,
        entry.payment_method,
        event_label(entry.event),
        outcome_name(entry),
        entry.reason,
        entry.words,
        explanation.what,
        explanation.todo,
        _euros(entry.unshipped),
        _euros(entry.shipped),
        entry.attempts,
        _moment(entry.last_at, zone),
        _moment(entry.closed_at, zone),
        entry.ignored_by,
        entry.note,
        order_link(store, entry.bigcommerce_id),
        portal_link(entry.environment, entry.reference),
    ]


def _euros(cents: int | None) -> str:
    """An amount that a spreadsheet reads as a number, whatever the language."""
    return "" if cents is None else f"{Decimal(cents) / 100:.2f}"


def _moment(at: datetime | None, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds") if at else ""
