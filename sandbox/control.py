"""The sandbox's own API: faults, calls, knobs, the world, reset. JSON, loopback only.

Each pretend system adds its part: `<system>/control.py` has `urlpatterns`, `seed()`, `reset()` and
`world()`.
"""

from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.urls import include, path

from sandbox import calls, database, faults, knobs
from sandbox.bigcommerce import control as bigcommerce
from sandbox.control_views import answering, body
from sandbox.sequra import control as sequra

SYSTEMS = (bigcommerce, sequra)


@transaction.atomic
def seed() -> None:
    """Fill empty tables with the demo's catalogue and accounts."""
    for system in SYSTEMS:
        system.seed()


def reset(_request: HttpRequest) -> dict[str, Any]:
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
    query = request.GET
    return calls.listed(query.get("system"), int(query.get("since", 0)), query.get("in_path", ""))


def world(request: HttpRequest) -> dict[str, Any]:
    """All that both systems hold, or `only` these kinds of it."""
    kinds = {name: read for system in SYSTEMS for name, read in system.world().items()}
    return {name: kinds[name]() for name in request.GET.getlist("only") or kinds}


urlpatterns = [
    path("reset", answering(reset)),
    path("faults", answering(handle_faults)),
    path("knobs", answering(handle_knobs)),
    path("calls", answering(list_calls)),
    path("world", answering(world)),
    path("sequra/", include(sequra.urlpatterns)),
    path("", include(bigcommerce.urlpatterns)),
]
