"""The sandbox's own API: faults, calls, knobs, the world, reset. JSON, loopback only.

Each pretend system adds its part: `<system>/control.py` has `urlpatterns`, `seed()`, `reset()` and
`world()`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from sandbox import calls, database, faults, knobs
from sandbox.bigcommerce import control as bigcommerce
from sandbox.sequra import control as sequra

SYSTEMS = (bigcommerce, sequra)
View = Callable[..., JsonResponse]


def body(request: HttpRequest) -> dict[str, Any]:
    """The request's JSON object, {} for none."""
    found = json.loads(request.body or b"{}")
    if not isinstance(found, dict):
        raise ValueError("the body is a JSON object")
    return found


def answering(view: Callable[..., Any]) -> View:
    """A control view: what it returns is the JSON answer, what it raises a 400 in plain words."""

    def answer(request: HttpRequest, **parts: Any) -> JsonResponse:
        try:
            with transaction.atomic():
                return JsonResponse(view(request, **parts), safe=False)
        except (KeyError, TypeError, ValueError, re.error) as error:
            return JsonResponse({"error": f"{type(error).__name__}: {error}"}, status=400)

    return answer


@transaction.atomic
def seed() -> None:
    """Fill empty tables with the demo's catalogue and accounts."""
    for system in SYSTEMS:
        system.seed()


def reset(request: HttpRequest) -> dict[str, Any]:
    """Everything as on the first day, except that no id is ever given twice."""
    faults.clear()
    knobs.reset()
    for system in SYSTEMS:
        system.reset()
    database.empty()
    seed()
    calls.clear()
    return {"reset": True}


def handle_faults(request: HttpRequest) -> Any:
    if request.method == "DELETE":
        faults.clear()
    elif request.method == "POST":
        return asdict(faults.add(body(request)))
    return faults.listed()


def handle_knobs(request: HttpRequest) -> dict[str, Any]:
    return knobs.turn(body(request) if request.method == "POST" else {})


def list_calls(request: HttpRequest) -> list[dict[str, Any]]:
    if request.method == "DELETE":
        calls.clear()
    return calls.listed(request.GET.get("system"), int(request.GET.get("since", 0)))


def world(request: HttpRequest) -> dict[str, Any]:
    """All that both systems hold."""
    return {name: rows for system in SYSTEMS for name, rows in system.world().items()}


urlpatterns = [
    path("reset", answering(reset)),
    path("faults", answering(handle_faults)),
    path("knobs", answering(handle_knobs)),
    path("calls", answering(list_calls)),
    path("world", answering(world)),
    path("sequra/", include(sequra.urlpatterns)),
    path("", include(bigcommerce.urlpatterns)),
]
