"""docs/api/openapi.yaml is what the code generates, what the app does, and what clients rely on."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local import openapi
from local.openapi_changes import breaking_changes, load
from payments.models import Solicitation
from tests.contract.test_urls import PUBLIC
from tests.payments.shop import Shop
from tests.payments.web import Web

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 5  # of each operation, the same in every run
STOREFRONT = "/storefront/{public_id}"


def test_the_file_is_what_the_code_generates() -> None:
    assert openapi.complaints() == []


def test_every_public_address_is_described() -> None:
    described = {
        operation["operationId"]: method.upper()
        for methods in load(openapi.FILE)["paths"].values()
        for method, operation in methods.items()
    }
    # Behind the links in mails, and a frame in a page of the panel: for people.
    pages = {"alerts_confirm", "alerts_stop", "widget_preview"}
    assert described == {name: PUBLIC[name] for name in PUBLIC.keys() - pages} | {"webhook": "POST"}


# --- Against the running app ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def document() -> Any:
    load_all_checks()
    return schemathesis.openapi.from_path(openapi.FILE)


@pytest.mark.django_db(transaction=True)
def test_the_app_answers_random_requests_as_documented(document: Any, web: Web, shop: Shop) -> None:
    """Half of them name the store, a payment and its token; none gets an answer of another kind."""
    solicitation = shop.solicited()
    real = {
        "public_id": str(shop.store.public_id),
        "solicitation_id": str(solicitation.public_id),
        "token": solicitation.token,
    }
    asked: dict[str, int] = {}
    for result in document.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), known=st.booleans())
        def ask(case: Any, known: bool) -> None:
            if known:
                case.path_parameters.update(
                    {name: real[name] for name in case.path_parameters if name in real}
                )
            asked[case.operation.label] = asked.get(case.operation.label, 0) + 1
            case.call_and_validate(base_url=web.url, checks=CHECKS, timeout=60)

        ask()
    assert set(asked) == {operation.ok().label for operation in document.get_all_operations()}
    assert min(asked.values()) >= 2


@pytest.mark.django_db(transaction=True)
def test_a_purchase_gets_the_documented_answers(document: Any, web: Web, shop: Shop) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]

    def documented(path: str, method: str, answer: Any) -> Any:
        document[path][method].validate_response(answer)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.headers.get("Content-Type") == "application/json" else None

    offer = documented(
        f"{STOREFRONT}/payment-methods",
        "POST",
        web.post("payment-methods", checkout_id=checkout_id, locale="es-ES"),
    )
    method = offer["methods"][0]
    choice = {"product": method["product"], "campaign": method["campaign"], "terms_accepted": True}
    form = documented(
        f"{STOREFRONT}/form", "POST", web.post("form", solicitation=offer["solicitation"], **choice)
    )
    documented(f"{STOREFRONT}/errors", "POST", web.post("errors", message="thrown"))
    solicitation = Solicitation.objects.get(public_id=offer["solicitation"])
    shop.approve(solicitation, method["product"])
    documented("/sequra/notification/{token}", "POST", web.notify(solicitation))
    progress = documented("/return/{solicitation_id}/status", "GET", web.status(solicitation))

    assert form["status_url"].endswith(f"/solicitations/{offer['solicitation']}")
    assert progress["status"] == "confirmed"


# --- What breaks clients --------------------------------------------------------------------------

METHODS = ["paths", f"{STOREFRONT}/payment-methods", "post"]
BODY = [*METHODS, "requestBody", "content", "application/json", "schema"]
ANSWER = [*METHODS, "responses", "200", "content", "application/json", "schema"]


def at(document: Any, path: list[str]) -> Any:
    for name in path:
        document = document[name]
    return document


def changed(path: list[str], change: Callable[[Any], object]) -> list[str]:
    """Return what breaks when this place of the document changes."""
    old = load(openapi.FILE)
    new = copy.deepcopy(old)
    change(at(new, path))
    return breaking_changes(old, new)


@pytest.mark.parametrize(
    ("path", "change", "complaint"),
    [
        (["paths"], lambda all_: all_.pop("/load"), "GET /load is gone"),
        (BODY, lambda one: one["required"].append("layout"), "layout is required"),
        (BODY, lambda one: one["properties"].pop("locale"), "locale is gone"),
        (BODY, lambda one: one["properties"]["locale"].update(maxLength=5), "maxLength is 5"),
        (BODY, lambda one: one["properties"]["layout"]["enum"].pop(), "layout was"),
        (BODY, lambda one: one["properties"]["checkout_id"].update(pattern="^x$"), "pattern is"),
        (
            BODY,
            lambda one: one["properties"]["store_credit_applied"].update(type="string"),
            "store_credit_applied was {'boolean'} and is {'string'}",
        ),
        (ANSWER, lambda one: one["required"].remove("reasons"), "reasons may be missing"),
        (ANSWER, lambda one: one["properties"].pop("message"), "message is gone"),
        (
            [*ANSWER, "properties", "methods", "items", "properties", "title"],
            lambda one: one.update(nullable=True),
            "each: title was {'string'}",
        ),
        ([*METHODS, "responses"], lambda all_: all_.pop("200"), "no 200 any more"),
        (
            ["paths", "/auth", "get", "parameters"],
            lambda all_: all_[0].update(required=True),
            "is required",
        ),
    ],
)
def test_what_breaks_a_client_is_refused(
    path: list[str], change: Callable[[Any], object], complaint: str
) -> None:
    (found,) = changed(path, change)
    assert complaint in found


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (["paths"], lambda all_: all_.update({"/new": {}})),
        (BODY, lambda one: one["properties"].update(more={"type": "string"})),
        (BODY, lambda one: one["properties"]["locale"].update(maxLength=50)),
        (BODY, lambda one: one["properties"]["locale"].update(nullable=True)),
        (ANSWER, lambda one: one["properties"].update(more={"type": "string"})),
        (ANSWER, lambda one: one["required"].append("more")),
        ([*METHODS, "responses"], lambda all_: all_.update({"418": {}})),
        ([*METHODS, "responses"], lambda all_: all_.pop("429")),
    ],
)
def test_what_a_client_survives_is_allowed(
    path: list[str], change: Callable[[Any], object]
) -> None:
    assert changed(path, change) == []
