"""How a control view is made: JSON in, JSON out, mistakes explained."""

import json
import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.http import HttpRequest, JsonResponse

View = Callable[..., JsonResponse]
MISTAKES = (KeyError, TypeError, ValueError, re.error, ObjectDoesNotExist)


def body(request: HttpRequest) -> dict[str, Any]:
    """The request's JSON object, {} for none."""
    found = json.loads(request.body or b"{}")
    if not isinstance(found, dict):
        raise TypeError("the body is a JSON object")
    return found


def answering(view: Callable[..., Any], *, atomic: bool = True) -> View:
    """A control view: what `view` returns is the JSON answer, what it raises a 400 in plain words.

    `atomic=False` is for work in which the app calls back before it is over.
    """

    def answer(request: HttpRequest, **parts: Any) -> JsonResponse:
        try:
            return JsonResponse(view(request, **parts), safe=False)
        except MISTAKES as error:
            if atomic:
                transaction.set_rollback(True)
            return JsonResponse({"error": f"{type(error).__name__}: {error}"}, status=400)

    return answer if atomic else transaction.non_atomic_requests(answer)


def posting(action: Callable[..., Any], *, atomic: bool = True) -> View:
    """A control view that gives the body's fields to `action` as keyword arguments."""

    def view(request: HttpRequest, **parts: Any) -> Any:
        if request.method != "POST":
            raise ValueError("POST only")
        return action(**parts, **body(request))

    return answering(view, atomic=atomic)
