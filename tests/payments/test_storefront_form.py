"""The identification form of an offered payment method, and the shop's terms before it."""

from typing import Any

import pytest

from payments.models import Solicitation
from stores.models import Store
from tests.payments.shop import Shop
from tests.payments.web import Web, offered


def test_form_of_an_offered_method(web: Web, shop: Shop) -> None:
    solicitation = offered(web, shop)["solicitation"]

    answer = web.post("form", solicitation=solicitation, product="pp3", terms_accepted=True).json()

    assert "<iframe" in answer["html"]
    assert shop.sandbox.origin("sequra") in answer["origins"]
    stored = Solicitation.objects.get()
    assert (stored.product, stored.form_shown_at is None) == ("pp3", False)


def remember_terms(store: Store, *, asked_for: bool) -> None:
    """What we read of the storefront's settings last."""
    store.channels = [{**channel, "terms": asked_for} for channel in store.channels]
    store.save(update_fields=["channels"])


def test_a_page_without_a_checkbox_cannot_skip_the_terms(web: Web, shop: Shop) -> None:
    usual = {"solicitation": offered(web, shop)["solicitation"], "product": "pp3"}
    remember_terms(shop.store, asked_for=True)
    shop.sandbox.knobs(terms_required=True)

    refused = web.post("form", **usual, terms_accepted=None)
    accepted = web.post("form", **usual, terms_accepted=True)

    assert (refused.status_code, refused.json()["code"]) == (409, "terms_not_accepted")
    assert accepted.status_code == 200


def test_terms_switched_on_since_the_last_reading_are_asked_for(web: Web, shop: Shop) -> None:
    usual = {"solicitation": offered(web, shop)["solicitation"], "product": "pp3"}
    shop.sandbox.knobs(terms_required=True)

    assert web.post("form", **usual, terms_accepted=None).status_code == 409
    assert web.post("form", **usual, terms_accepted=True).status_code == 200


@pytest.mark.parametrize("known", [False, True])
def test_terms_count_as_last_read_while_bigcommerce_is_away(
    web: Web, shop: Shop, known: bool
) -> None:
    usual = {"solicitation": offered(web, shop)["solicitation"], "product": "pp3"}
    remember_terms(shop.store, asked_for=known)
    shop.sandbox.fault("/checkouts/settings/", method="GET", status=503, times=0)

    answer = web.post("form", **usual, terms_accepted=None)

    assert answer.status_code == (409 if known else 200)


def test_the_script_is_given_whether_terms_are_required(web: Web, shop: Shop) -> None:
    assert offered(web, shop)["terms"] is False

    remember_terms(shop.store, asked_for=True)
    shop.sandbox.knobs(terms_required=True)

    assert [offered(web, shop)["terms"] for _ in range(8)] == [True] * 8
    looked = [one for one in shop.sandbox.calls("bigcommerce") if "/settings/" in one["path"]]
    # Once in each process of the app, of which one may end and be replaced by another.
    assert 1 <= len(looked) <= 4


def test_terms_that_the_merchant_switched_off_stop_nobody(web: Web, shop: Shop) -> None:
    usual = {"solicitation": offered(web, shop)["solicitation"], "product": "pp3"}
    remember_terms(shop.store, asked_for=True)
    shop.sandbox.knobs(terms_required=False)

    assert web.post("form", **usual, terms_accepted=None).status_code == 200


@pytest.mark.parametrize(
    ("choice", "status", "code"),
    [
        ({"terms_accepted": False}, 409, "terms_not_accepted"),
        ({"product": "zz9"}, 409, "unknown_method"),
        ({"campaign": "summer"}, 409, "unknown_method"),
        ({"solicitation": "6f1c2f3e-0b6b-4d0e-9d7b-0c9b6f8d3f6a"}, 404, "unknown"),
    ],
)
def test_form_is_refused(
    web: Web, shop: Shop, choice: dict[str, Any], status: int, code: str
) -> None:
    usual = {"solicitation": offered(web, shop)["solicitation"], "product": "pp3"}

    answer = web.post("form", **(usual | choice))

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_form_of_a_paid_checkout_is_refused(web: Web, shop: Shop) -> None:
    solicitation = offered(web, shop)["solicitation"]
    Solicitation.objects.update(phase="confirmed")

    answer = web.post("form", solicitation=solicitation, product="pp3")

    assert (answer.status_code, answer.json()["code"]) == (409, "cart_changed")


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<p>x</p>" * 200_000},
        {"status": 200, "headers": {"Content-Type": "application/json"}, "body": "{}"},
        {"status": 302, "headers": {"Location": "http://127.0.0.1:1/form"}},
        {
            "status": 200,
            "headers": {"Content-Type": "text/html"},
            "body": '<script src="https://evil.example/x.js"></script>',
        },
        {"status": 503},
        {"reset": True},
    ],
)
def test_bad_form_is_not_shown(web: Web, shop: Shop, fault: dict[str, Any]) -> None:
    solicitation = offered(web, shop)["solicitation"]
    shop.sandbox.fault("form_v2", times=0, **fault)

    answer = web.post("form", solicitation=solicitation, product="pp3")

    assert (answer.status_code, "html" in answer.json()) == (502, False)
    assert answer.json()["message"].startswith("SeQura isn't responding right now.")


def test_form_that_sequra_refuses_is_followed_by_a_new_solicitation(web: Web, shop: Shop) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    first = web.post("payment-methods", checkout_id=checkout_id).json()["solicitation"]
    shop.sandbox.fault(r"/form_v2", status=410)

    asked = {"solicitation": first, "product": "pp3", "terms_accepted": True}
    refused = web.post("form", **asked)
    second = web.post("payment-methods", checkout_id=checkout_id).json()["solicitation"]

    assert (refused.status_code, refused.json()["code"]) == (409, "cart_changed")
    assert second != first
    assert web.post("form", **{**asked, "solicitation": second}).status_code == 200
