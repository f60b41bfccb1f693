"""`make openapi`: docs/api/openapi.yaml, from what the code checks requests and responses with.

Bodies of requests come from the serializers that validate them, responses from the types that mypy
holds the views to, paths and summaries from the URL conf and the views. Every address that is not
a page of the control panel has a row in `_OPERATIONS`; the pages behind `/s/…` and `/admin/` are no
API. `--check` fails when the file is stale, or when a client of the last release would break.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import django

django.setup()

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import resolve_type_hint
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.views import APIView

from local.openapi_changes import breaking_changes, load
from local.servers import ROOT
from orders.webhooks import PREFIX
from payments.events import EVENTS
from payments.form import FormAnswer
from payments.models import Solicitation
from payments.progress import Progress
from payments.storefront import MethodsAnswer
from payments.views import CheckoutClaim, MethodChoice, ScriptError
from payments.widgets import WidgetsAnswer
from transport import __version__

FILE, RELEASED = ROOT / "docs/api/openapi.yaml", ROOT / "docs/api/released.yaml"
_JSON, _HTML, _TEXT = "application/json", "text/html", "text/plain"
_FORM = "application/x-www-form-urlencoded"
_PANEL = "s/"
_MAILS = "alerts/"  # behind the links in mails
_PREVIEW = "widget-preview"  # a frame in a page of the panel
_ADMIN = "admin/"


class _Operation(NamedTuple):
    """What an address does besides what its code shows. Responses: what for each status."""

    method: str
    tag: str
    responses: dict[int, Any]
    request: Any = None
    parameters: tuple[OpenApiParameter, ...] = ()


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = {
        name: {"type": kind} if isinstance(kind, str) else kind
        for name, kind in {**required, **optional}.items()
    }
    return {"type": "object", "properties": properties, "required": sorted(required)}


def _json(schema: Any, meaning: str) -> dict[str, OpenApiResponse]:
    return {_JSON: OpenApiResponse(schema, meaning)}


def _page(meaning: str) -> dict[str, OpenApiResponse]:
    return {_HTML: OpenApiResponse({"type": "string"}, meaning)}


def _text(meaning: str, *texts: str) -> dict[str, OpenApiResponse]:
    schema = {"type": "string", "enum": list(texts)} if texts else {"type": "string"}
    return {_TEXT: OpenApiResponse(schema, meaning)}


_CODE = _object({"code": "string", "message": "string"})
_STATUS = _object({"status": "string"})
_ERROR = _object({"error": "string"})
_FIELDS = {"type": "object", "additionalProperties": True}
_BAD = "The request is malformed"
_UNKNOWN = "There is no such address"
_BUSY = "Too many requests; Retry-After gives the seconds"
_TOO_LARGE = "The body is too large"
_AGAIN = "The app cannot answer now; repeat the request"
# What SeQura sends with every notification and event.
_ORDER_REF = {"type": "string", "format": "uuid", "description": "SeQura's reference"}
_SIGNATURE = {"type": "string", "description": "the payment's own secret, as SeQura received it"}


def _storefront(ok: dict[int, Any], **more: Any) -> dict[str, Any]:
    """Return what the endpoints for browsers of the shop share."""
    known = {
        400: _json(_FIELDS, "What is wrong, for each field, or as `detail`"),
        404: {**_json(_FIELDS, "There is no such checkout or payment"), **_page(_UNKNOWN)},
        413: {None: _TOO_LARGE},
        415: _json(_FIELDS, "The body is no JSON"),
        429: _json(_CODE, _BUSY),
        503: {None: _AGAIN},
    }
    return {"tag": "storefront", "responses": {**known, **ok}, **more}


def _query(name: str, meaning: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.QUERY, description=meaning)


_SIGNED = (_query("signed_payload_jwt", "Signed by BigCommerce with the app's client secret"),)
_REMOVED: dict[int, Any] = {
    200: _json(_STATUS, "`removed`, `uninstalled`, or `ignored` when it was no longer true"),
    401: _json(_ERROR, "The payload is not BigCommerce's"),
    429: _json(_ERROR, _BUSY),
}
_FROM_SEQURA: dict[int, Any] = {
    400: {None: _BAD},
    404: {None: "Token, signature and reference do not belong together"},
    413: {None: _TOO_LARGE},
    503: {None: "Not done yet: SeQura repeats what gets a 503"},
}
_WEBHOOK = "webhook"
_OPERATIONS: dict[str, _Operation] = {
    "storefront_payment_methods": _Operation(
        "post",
        request=CheckoutClaim,
        **_storefront({200: _json(MethodsAnswer, "Payment methods, or the reasons for none")}),
    ),
    "storefront_widgets": _Operation(
        "get",
        parameters=(
            _query("place", "`product`, `cart` or `listing`"),
            _query("channel", "The storefront's channel"),
            _query("currency", "Of the prices on the page"),
            _query("locale", "The page's language"),
            _query("product", "A product's id; repeated"),
            _query("sku", "A variant's SKU; repeated"),
        ),
        **_storefront(
            {
                200: _json(WidgetsAnswer, "What the page shows; no methods for nothing"),
                502: _json(_CODE, "`bigcommerce_unavailable`"),
            }
        ),
    ),
    "storefront_form": _Operation(
        "post",
        request=MethodChoice,
        **_storefront(
            {
                200: _json(FormAnswer, "The form, and where to follow the payment"),
                404: {**_json(_FIELDS, "`unknown`: no such payment"), **_page(_UNKNOWN)},
                409: _json(_CODE, "`cart_changed`, `unknown_method`, `terms_not_accepted`, …"),
                502: _json(_CODE, "`sequra_unavailable`"),
            }
        ),
    ),
    "storefront_status": _Operation(
        "get",
        tag="storefront",
        responses={
            200: _json(Progress, "How far the payment is"),
            404: {**_json(_FIELDS, "There is no such payment"), **_page(_UNKNOWN)},
            503: {None: _AGAIN},
        },
    ),
    "storefront_errors": _Operation(
        "post", request=ScriptError, **_storefront({204: {None: "Counted and logged"}})
    ),
    "shopper_returns": _Operation(
        "get",
        "storefront",
        {
            200: _page("The payment is not decided, or did not succeed"),
            302: {None: "To the order confirmation"},
            404: _page(_UNKNOWN),
            503: {None: _AGAIN},
        },
    ),
    "shopper_returns_status": _Operation(
        "get",
        "storefront",
        {200: _json(Progress, "As above"), 404: _page(_UNKNOWN), 503: {None: _AGAIN}},
    ),
    "sequra_notification": _Operation(
        "post",
        "sequra",
        {
            200: {None: "The order is confirmed, or held, at SeQura"},
            410: {None: "Refused for good: SeQura cancels the payment"},
            **_FROM_SEQURA,
        },
        request={
            _FORM: _object(
                {
                    "order_ref": _ORDER_REF,
                    "sq_state": {
                        "type": "string",
                        "enum": [*map(str, Solicitation.State.values), "confirmed-without-number"],
                    },
                    "signature": _SIGNATURE,
                },
                product_code="string",
                order_ref_1="string",
            )
        },
    ),
    "sequra_event": _Operation(
        "post",
        "sequra",
        {
            200: {**_text("Done"), **_json(_object({"result": "string"}, since="integer"), "Done")},
            501: _json(_ERROR, "There is no such event"),
            **_FROM_SEQURA,
            503: _json(_ERROR, "Not done yet: SeQura repeats what gets a 503"),
        },
        request={
            _FORM: _object(
                {
                    "order_ref": _ORDER_REF,
                    "event": {"type": "string", "enum": list(EVENTS)},
                    "m_signature": _SIGNATURE,
                },
                risk_level="string",
                order_ref_1="string",
            )
        },
    ),
    "trigger_report": _Operation(
        "get",
        "sequra",
        {
            200: _text("A run has started or is running", "ok"),
            404: _text("The address is wrong or was replaced"),
            429: _text(_BUSY),
            503: {None: _AGAIN},
            599: _text("So has this one; the last one failed", "ko"),
        },
    ),
    "auth": _Operation(
        "get",
        "bigcommerce",
        {
            200: _page("Installed"),
            400: _page("BigCommerce did not accept the code"),
            429: _page(_BUSY),
            503: _page("BigCommerce did not answer"),
        },
        parameters=(
            _query("code", "Exchanged for the store's token"),
            _query("context", "`stores/{hash}`"),
            _query("scope", "The scopes that were granted"),
        ),
    ),
    "load": _Operation(
        "get",
        "bigcommerce",
        {
            302: {None: "To a page of the new session"},
            401: _page("The payload is not BigCommerce's, or was used"),
            429: _page(_BUSY),
        },
        parameters=_SIGNED,
    ),
    "uninstall": _Operation("get", "bigcommerce", _REMOVED, parameters=_SIGNED),
    "remove_user": _Operation("get", "bigcommerce", _REMOVED, parameters=_SIGNED),
    _WEBHOOK: _Operation(
        "post",
        "bigcommerce",
        {
            204: {None: "Stored, or of no interest"},
            400: {None: _BAD},
            401: {None: "The secret or the signature is wrong"},
            413: {None: _TOO_LARGE},
            503: {None: "Not stored: BigCommerce delivers it again"},
        },
        request={
            _JSON: _object(
                {"scope": "string", "producer": "string", "data": {"type": "object"}},
                hash="string",
                store_id="string",
                created_at="integer",
            )
        },
        parameters=(
            OpenApiParameter(
                "X-Webhook-Secret",
                str,
                OpenApiParameter.HEADER,
                required=True,
                description="The store's own secret, given to BigCommerce with the webhook",
            ),
        ),
    ),
}
_TAGS = {
    "storefront": "For browsers of the shop, from its own origins (CORS), without credentials",
    "sequra": "For SeQura's servers; the address holds the secret",
    "bigcommerce": "BigCommerce's callbacks and webhooks",
}


def _routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield every public route with its pattern: no pages of merchants, readers and operators."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if route.startswith((_PANEL, _PREVIEW, _MAILS, _ADMIN)):
            continue
        if isinstance(pattern, URLPattern):
            yield route, pattern
        else:
            yield from _routes(pattern, route)


def _receive_webhook(_request: HttpRequest) -> HttpResponse:
    """Receive a webhook of BigCommerce."""
    raise NotImplementedError  # described, never called: `sequra_bc.intake` answers before views


def _endpoints() -> Iterator[tuple[str, str, str, Any]]:
    """Yield path, route, method and a view that is only described."""
    found = {pattern.name: (route, pattern.callback) for route, pattern in _routes(get_resolver())}
    found[_WEBHOOK] = (f"{PREFIX[1:]}<uuid:public_id>", _receive_webhook)
    for name, operation in _OPERATIONS.items():
        route, view = found.pop(name)
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", f"/{route}")
        yield path, f"/{route}", operation.method.upper(), _described(name, operation, view)
    if found:
        raise LookupError(f"describe {sorted(map(str, found))} in local/openapi.py")


def _described(name: str, operation: _Operation, view: Any) -> Any:
    """Return a view class's function that carries the description of this view."""

    def handler(_self: APIView, _request: HttpRequest) -> HttpResponse:
        raise NotImplementedError  # described, never called

    handler.schema = AutoSchema  # type: ignore[attr-defined] # where drf-spectacular looks for it
    summary, _, more = (view.__doc__ or "").strip().partition("\n")
    described = extend_schema(
        operation_id=name,
        summary=summary,
        description=re.sub(r"\s+", " ", more).strip(),
        tags=[operation.tag],
        auth=[],
        request=operation.request,
        parameters=list(operation.parameters),
        responses=dict(_responses(operation.responses)),
    )(handler)
    members = {operation.method: described, "schema": AutoSchema()}
    view_class: Any = type(name, (APIView,), members)
    return view_class.as_view()


def _responses(known: dict[int, Any]) -> Iterator[tuple[Any, Any]]:
    for status, kinds in sorted(known.items()):
        for media, answer in kinds.items():
            if media is None:
                yield status, OpenApiResponse(description=answer)
            else:
                hint = answer.response
                schema = hint if isinstance(hint, dict) else resolve_type_hint(hint)
                yield (status, media), OpenApiResponse(schema, answer.description)


class _Endpoints(EndpointEnumerator):
    def get_api_endpoints(self, *_: Any, **__: Any) -> Any:
        return list(_endpoints())


class _Generator(SchemaGenerator):
    endpoint_inspector_cls = _Endpoints


def schema() -> str:
    """Return the OpenAPI document as YAML."""
    about = {
        "TITLE": "SeQura for BigCommerce",
        "DESCRIPTION": "What shops, SeQura and BigCommerce call. docs/api.md explains it.",
        "VERSION": __version__,
        "TAGS": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "SERVERS": [{"url": "https://app.example.com", "description": "your `APP_URL`"}],
        "LICENSE": {"name": "MIT"},
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    }
    with patched_settings(about):
        generator: Any = _Generator
        document = generator().get_schema(public=True)
    rendered: bytes = OpenApiYamlRenderer().render(document, renderer_context={})
    return rendered.decode()


def complaints() -> list[str]:
    """Return why the committed file may not stay as it is."""
    found = [] if FILE.read_text() == schema() else ["docs/api/openapi.yaml: make openapi"]
    changes = breaking_changes(load(RELEASED), load(FILE))
    return found + [f"breaks clients of the last release: {change}" for change in changes]


def main(arguments: list[str]) -> None:
    if "--check" in arguments:
        sys.exit("\n".join(complaints()) or 0)
    FILE.write_text(schema())


if __name__ == "__main__":
    main(sys.argv[1:])
