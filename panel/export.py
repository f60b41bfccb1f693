"""Files for spreadsheets: harmless cells, and few files of a store at once."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from panel.session import PanelRequest, panel_error
from stores.rate_limit import Concurrency

# Excel takes a CSV file for UTF-8 only when it begins with this mark.
_BYTE_ORDER_MARK = "\ufeff"
# A cell that begins like this is a formula to a spreadsheet, in full width too.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")
# Spreadsheets divide a line as the language of their user does: by `;` in Spanish, French, Italian
# and Portuguese. What such a divider would turn into a cell of its own must be harmless too.
_DIVIDER = re.compile(r"[;\t|\r\n]")
# Dividers, blanks and quotes in a row, and what comes after them. It starts where the row does, so
# that no character is read twice.
_BETWEEN_CELLS = re.compile(r"""(?<![\s"';|])([\s"';|]+)([=+\-@%＝＋－＠])?""")


_P = ParamSpec("_P")
# Files that one store reads at once, of a process: half of what `sequra_bc.bulkheads` lets through.
_FILES_OF_A_STORE = 2
_files = Concurrency(_FILES_OF_A_STORE)


def few_per_store(
    view: Callable[Concatenate[PanelRequest, _P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """A view that answers with a file; its place is free when the file is read or given up."""

    @wraps(view)
    def file(request: PanelRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
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


def _harmless(value: object) -> str:
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


def csv_file(name: str, text: str | Iterator[str]) -> HttpResponse | StreamingHttpResponse:
    """Return a file of lines from `csv_text`; of an iterator, one that grows while it is read."""
    kind = "text/csv; charset=utf-8"
    response = (
        HttpResponse(_BYTE_ORDER_MARK + text, content_type=kind)
        if isinstance(text, str)
        else StreamingHttpResponse(_marked(text), content_type=kind)
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _marked(text: Iterator[str]) -> Iterator[str]:
    yield _BYTE_ORDER_MARK + next(text, "")
    yield from text


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return the lines of a file, or a part of them."""
    writer: Any = csv.writer(_Line())
    return "".join(writer.writerow([_harmless(cell) for cell in row]) for row in rows)
