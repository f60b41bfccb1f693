"""The identification form: its HTML, its steps, its personas, and the pages around it."""

import re
from typing import Any

import pytest
import requests

from sandbox.tests.sequra_shop import UUID, Client, Document, Shop, confirmation, solicitation

FULANO = {
    "given_names": "Fulano",
    "surnames": "De Tal",
    "mobile_phone": "666 666 666",
    "date_of_birth": "01/01/2000",
    "nin": "23232323-t",
    "privacy": True,
}


def fetch(sequra: Client, uuid: str, query: str = "product=pp3&ajax=1") -> requests.Response:
    return sequra.call("GET", f"orders/{uuid}/form_v2?{query}", Accept="text/html")


class Shopper:
    """Fills in the form of one order as the page's own script does."""

    def __init__(self, sequra: Client, uuid: str, product: str = "pp3") -> None:
        self.sequra, self.uuid, self.product = sequra, uuid, product
        page = fetch(sequra, uuid, f"product={product}").text
        self.secret = re.findall("secret=([A-Za-z0-9]+)", page)[0]

    def say(self, step: str, **fields: Any) -> Document:
        body = {"secret": self.secret, "product": self.product, **fields}
        url = f"{self.sequra.url}/api/v1/checkout/{self.uuid}/{step}"
        found: Document = self.sequra.session.post(url, json=body, timeout=60).json()
        return found

    def finish(self, shop: Shop, **person: str) -> Document:
        """Everything right, up to the shop's answer."""
        self.say("identification", **{**FULANO, **person})
        self.say("validate_otp", otp="66666")
        shop.wait_for(1)
        found = {"action": "wait_for_confirmation"}
        while found["action"] == "wait_for_confirmation":
            found = self.say("wait")
        return found


def test_the_form_is_an_iframe_and_two_scripts(sequra: Client) -> None:
    uuid = sequra.solicit(solicitation())

    answer = fetch(sequra, uuid)

    browser = sequra.url.replace("127.0.0.1", "sequra.localhost")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Cache-Control"].startswith("max-age=0, private")
    assert "<iframe id='sq-identification-pp3' name='sq-identification-pp3'" in answer.text
    assert f'src="{browser}/orders/{uuid}/pumbaa_form?product=pp3&amp;secret=' in answer.text
    assert "window.SequraFormElement = 'sq-identification-pp3';" in answer.text
    (script,) = re.findall(rf"src='({browser}/assets/sequra_form-[0-9a-f]{{64}}\.js)'", answer.text)
    loaded = sequra.session.get(script.replace("sequra.localhost", "127.0.0.1"), timeout=60)
    assert loaded.headers["Content-Type"].startswith("text/javascript")
    assert "window.SequraFormInstance = instance" in loaded.text


def test_a_campaign_goes_into_the_iframe(sequra: Client) -> None:
    uuid = sequra.solicit(solicitation())

    page = fetch(sequra, uuid, "product=pp5&campaign=temporary&ajax=1").text

    assert "product=pp5" in page
    assert "campaign=temporary" in page


def test_the_default_product_is_i1(sequra: Client) -> None:
    uuid = sequra.solicit(solicitation())

    assert "sq-identification-i1" in fetch(sequra, uuid, "ajax=1").text


@pytest.mark.parametrize("query", ["product=fp1", "product=pp5&campaign=another"])
def test_a_method_that_is_not_offered_has_no_form(sequra: Client, query: str) -> None:
    answer = fetch(sequra, sequra.solicit(solicitation()), query)

    assert answer.status_code == 404
    assert "The page you were looking for doesn't exist." in answer.text


def test_an_unknown_order_has_an_html_404(sequra: Client) -> None:
    answer = fetch(sequra, "7d3f9a5e-31b2-4a57-9d46-3c9c6ff0c0de")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_the_form_is_html_for_those_who_accept_it(sequra: Client) -> None:
    uuid = sequra.solicit(solicitation())

    assert sequra.call("GET", f"orders/{uuid}/form_v2").status_code == 406


def test_a_bad_order_id_has_no_form(sequra: Client) -> None:
    answer = fetch(sequra, "test")

    assert (answer.status_code, answer.json()) == (
        403,
        {"errors": ["Bad order id 'test' for demo"]},
    )


def test_an_approved_order_needs_no_form(sequra: Client, shop: Shop) -> None:
    uuid = sequra.confirmed(solicitation(shop.url), "100245")

    assert fetch(sequra, uuid).status_code == 409


def page(sequra: Client, order: Document) -> requests.Response:
    uuid = sequra.solicit(order)
    (address,) = re.findall('src="([^"]+pumbaa_form[^"]+)"', fetch(sequra, uuid).text)
    local = address.replace("sequra.localhost", "127.0.0.1").replace("&amp;", "&")
    return sequra.session.get(local, timeout=60)


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("es-ES", "Completa tu compra"),
        ("fr-FR", "Finalisez votre achat"),
        ("it", "Completa il tuo acquisto"),
        ("pt-PT", "Conclua a sua compra"),
        ("en-GB", "Complete your purchase"),
        ("ca-ES", "Completa tu compra"),
    ],
)
def test_the_page_speaks_the_shoppers_language(sequra: Client, language: str, title: str) -> None:
    order = solicitation()
    order["customer"]["language_code"] = language

    found = page(sequra, order)

    assert found.status_code == 200
    assert "X-Frame-Options" not in found.headers
    assert title in found.text


def test_the_page_knows_what_the_shop_knows(sequra: Client) -> None:
    order = solicitation()
    order["customer"]["date_of_birth"] = "2000-01-31"

    text = page(sequra, order).text

    assert 'value="Fulano"' in text
    assert 'value="666666666"' in text
    assert 'value="31/01/2000"' in text
    assert "110,89 €" in text


def test_what_the_shop_calls_things_is_text(sequra: Client) -> None:
    order = solicitation()
    order["cart"]["items"][0]["name"] = "<script>alert(1)</script>"

    text = page(sequra, order).text

    assert "<script>alert(1)" not in text


def test_the_page_opens_for_its_secret_alone(sequra: Client) -> None:
    uuid = sequra.solicit(solicitation())
    url = f"{sequra.url}/orders/{uuid}/pumbaa_form?product=pp3&secret=wrong"

    assert sequra.session.get(url, timeout=60).status_code == 404


def test_a_shopper_is_approved_and_sent_back(sequra: Client, shop: Shop) -> None:
    uuid = sequra.solicit(solicitation(shop.url))

    answer = Shopper(sequra, uuid).finish(shop)

    assert answer == {"action": "finish", "url": f"{shop.url}/return?product=pp3", "callback": ""}
    assert [message.fields["product_code"] for message in shop.heard] == ["pp3"]
    assert sequra.order(uuid)["state"] == "approved"


def test_finishing_twice_notifies_once(sequra: Client, shop: Shop) -> None:
    shopper = Shopper(sequra, sequra.solicit(solicitation(shop.url)))

    shopper.finish(shop)
    again = [shopper.say("identification", **FULANO), shopper.say("validate_otp", otp="66666")]

    assert [answer["action"] for answer in again] == ["finish", "finish"]
    assert len(shop.heard) == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("given_names", " ", "blank"),
        ("mobile_phone", "1234", "phone"),
        ("date_of_birth", "31/31/2000", "date"),
        ("nin", "ABC", "nin"),
        ("privacy", False, "privacy"),
    ],
)
def test_the_form_asks_again_for_what_is_wrong(
    sequra: Client, field: str, value: Any, reason: str
) -> None:
    shopper = Shopper(sequra, sequra.solicit(solicitation()))

    answer = shopper.say("identification", **{**FULANO, field: value})

    assert answer == {"action": "require_identification", "errors": {field: reason}}


def test_the_code_is_the_end_of_the_phone_number(sequra: Client) -> None:
    shopper = Shopper(sequra, sequra.solicit(solicitation()))

    early = shopper.say("validate_otp", otp="66666")
    asked = shopper.say("identification", **{**FULANO, "mobile_phone": "667042676"})
    wrong = shopper.say("validate_otp", otp="66666")

    assert early["action"] == "require_identification"
    assert asked == {"action": "require_validate_otp"}
    assert wrong == {"action": "require_validate_otp", "error": True}


@pytest.mark.parametrize("person", [{"given_names": "Test Decline"}, {"date_of_birth": "1/1/2012"}])
def test_some_are_rejected_without_a_notification(
    sequra: Client, shop: Shop, person: dict[str, str]
) -> None:
    uuid = sequra.solicit(solicitation(shop.url))
    shopper = Shopper(sequra, uuid)

    answer = shopper.say("identification", **{**FULANO, **person})

    assert answer == {"action": "reject", "callback": ""}
    assert sequra.order(uuid)["state"] == "rejected"
    assert shop.heard == []
    assert fetch(sequra, uuid, "product=i1").status_code == 200


@pytest.mark.parametrize(
    ("name", "path", "state"),
    [
        ("Review Test Approve", "/notification/t0ken", "approved"),
        ("Review Test Cancel", "/event/t0ken", "cancelled"),
    ],
)
def test_the_review_personas_come_out_as_they_are_called(
    sequra: Client, shop: Shop, name: str, path: str, state: str
) -> None:
    sequra.control("sequra/knobs", {"review_seconds": 0.1})
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)

    answer = Shopper(sequra, uuid).finish(shop, given_names=name)
    sequra.put(uuid, confirmation(order, "on_hold", "100245"))
    _, second = shop.wait_for(2)

    assert answer["action"] == "show_on_hold"
    assert shop.heard[0].fields["sq_state"] == "needs_review"
    assert (second.path, sequra.order(uuid)["state"]) == (path, state)


@pytest.mark.parametrize(("status", "action"), [(410, "show_conflict"), (409, "show_conflict")])
def test_a_conflict_is_shown(sequra: Client, shop: Shop, status: int, action: str) -> None:
    shop.answers = [status]

    answer = Shopper(sequra, sequra.solicit(solicitation(shop.url))).finish(shop)

    assert answer == {"action": action}


def test_the_shopper_waits_until_a_later_attempt_is_answered(sequra: Client, shop: Shop) -> None:
    shop.answers = [503]

    answer = Shopper(sequra, sequra.solicit(solicitation(shop.url))).finish(shop)

    assert (answer["action"], len(shop.heard)) == ("finish", 2)


def test_an_error_is_shown_when_the_shop_never_answers(sequra: Client, shop: Shop) -> None:
    sequra.control("sequra/knobs", {"retries": 0})
    shop.answers = [503]

    answer = Shopper(sequra, sequra.solicit(solicitation(shop.url))).finish(shop)

    assert answer == {"action": "show_error"}


def test_the_portal_lists_and_shows_orders(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    order["customer"]["given_names"] = "<b>Fulano"
    uuid = sequra.confirmed(order, "100245")

    listed = sequra.session.get(f"{sequra.url}/portal", params={"q": "100245"}, timeout=60)
    shown = sequra.session.get(f"{sequra.url}/portal/orders/{uuid}", timeout=60)

    assert f'href="/portal/orders/{uuid}"' in listed.text
    assert "<b>Fulano" not in listed.text
    for words in (uuid, "100245", "Confirmed", "110,89 €", "notification approved", "SHIRT-M"):
        assert words in shown.text
    assert re.search(UUID, shown.text)


def test_the_portal_is_empty_at_first(sequra: Client) -> None:
    assert "No orders" in sequra.session.get(f"{sequra.url}/portal", timeout=60).text
