"""Clean paths, queries and forms before any view reads them, and reject JSON that harms.

`transport.reading` cleans JSON. Paths and forms may hold U+0000, too, which PostgreSQL rejects, and
name charsets that Python knows and that are no text ("zlib"). Django has already replaced bytes
that are no UTF-8.
"""

import codecs
from collections.abc import Callable
from typing import IO, Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from transport.reading import clean_text, read_json

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_TEXT = {"utf-8", "ascii"}


class CleanTextMiddleware:
    """Remove U+0000 from queries and forms; refuse paths with one, and other charsets."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not _is_utf8(request):
            return HttpResponse(status=400)
        request.GET = _cleaned(request.GET)
        return self.get_response(request)

    @staticmethod
    def process_view(request: HttpRequest, *_view: Any) -> None:
        """Clean the form once the view is known: only then the body is read."""
        if "\0" in request.path_info:
            raise Http404
        if request.method == "POST" and request.content_type in _FORMS:
            request.POST = _cleaned(request.POST)


def _is_utf8(request: HttpRequest) -> bool:
    """Return whether the body's charset is UTF-8. It is without a charset."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    try:
        if codecs.lookup(charset).name not in _TEXT:
            return False
    except (LookupError, ValueError):
        return False
    request.encoding = "utf-8"  # ASCII is, and Django knows it under one name only
    return True


def _cleaned(query: QueryDict) -> Any:
    """Return the same parameters; a copy only if something is removed."""
    if not any(clean_text(text) != text for row in query.lists() for text in (row[0], *row[1])):
        return query
    found = QueryDict(mutable=True)
    for name, values in query.lists():
        found.setlist(clean_text(name), [clean_text(value) for value in values])
    found._mutable = False  # noqa: SLF001 -- as Django itself hands them out
    return found


# For JSON that Python's parser cannot handle the sender gets a 400.
_DEEPEST = 8  # levels: the deepest document that the endpoints know has one


class JSONBody(JSONParser):
    """REST framework's parser answers 500 to a thousand brackets, to a number of five thousand
    digits, and to half a surrogate pair that comes back in a message; this one answers 400."""

    def parse(self, stream: IO[Any], *_type: Any, **_context: Any) -> Any:
        try:
            return read_json(stream.read().decode(), _DEEPEST)
        except (RecursionError, ValueError) as error:
            raise ParseError from error
