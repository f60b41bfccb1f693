"""Cross-origin requests: exactly the origins on which a store's checkout runs, no credentials."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from stores.models import Store
from stores.storefronts import browser_origin, may_ask, storefront_store

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Store, P], HttpResponseBase]
PREFLIGHT_SECONDS = "600"


def storefront(*methods: str) -> Callable[[View[P]], Callable[..., HttpResponseBase]]:
    """A storefront endpoint: the view gets the store, allowed origins get to read the answer."""

    def decorate(view: View[P]) -> Callable[..., HttpResponseBase]:
        @csrf_exempt
        @wraps(view)
        def endpoint(request: HttpRequest, public_id: UUID, *args: Any, **kwargs: Any) -> Any:
            store = storefront_store(public_id)
            if request.method == "OPTIONS":
                response: HttpResponseBase = HttpResponse(status=204)
            else:
                response = view(request, store, *args, **kwargs)
            return _share(request, response, store, methods)

        return endpoint

    return decorate


def _share(
    request: HttpRequest, response: HttpResponseBase, store: Store, methods: tuple[str, ...]
) -> HttpResponseBase:
    origin, named = browser_origin(request), request.headers.get("Origin", "")
    response["Vary"] = "Origin"
    response["Cache-Control"] = "no-store"
    if may_ask(store, origin):
        # Browsers compare it with what they sent, letter by letter.
        response["Access-Control-Allow-Origin"] = named if named.isascii() else origin
        response["Access-Control-Expose-Headers"] = "Retry-After"
        if request.method == "OPTIONS":
            response["Access-Control-Allow-Methods"] = ", ".join([*methods, "OPTIONS"])
            response["Access-Control-Allow-Headers"] = "Content-Type"
            response["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
    return response
