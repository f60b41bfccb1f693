"""Who may ask what: deployments, credentials, merchants, payment methods."""

import re
from typing import Any

import pytest
import requests

from sandbox.tests.sequra_shop import Client, solicitation

UNKNOWN = "7d3f9a5e-31b2-4a57-9d46-3c9c6ff0c0de"


def test_deployments_need_no_account(sequra: Client) -> None:
    rows = requests.get(f"{sequra.url}/deployments", timeout=60).json()

    port = sequra.url.rsplit(":", 1)[1]
    assert [row["id"] for row in rows] == ["sequra", "svea"]
    assert rows[0]["sandbox"] == {
        "api_base_url": f"http://127.0.0.1:{port}/",
        "assets_base_url": f"http://sequra.localhost:{port}/assets/",
    }
    assert rows[1]["live"]["api_base_url"] == f"http://localhost:{port}/"


def test_credentials_list_the_merchants_of_the_account(sequra: Client) -> None:
    rows = sequra.call("GET", "merchants/credentials", Sequra_Merchant_Id="").json()

    assert [(row["ref"], row["country"], row["realm"]) for row in rows] == [
        ("demo_es", "ES", "sequra"),
        ("demo_fr", "FR", "sequra"),
        ("demo_it", "IT", "sequra"),
        ("demo_pt", "PT", "sequra"),
        ("demo_co", "CO", "sequra"),
    ]
    assert set(rows[0]) == {
        "ref",
        "name",
        "country",
        "allowed_countries",
        "currency",
        "assets_key",
        "contract_options",
        "extra_information",
        "verify_signature",
        "signature_secret",
        "confirmation_path",
        "realm",
    }


def test_the_second_account_lives_on_the_other_deployment(sequra: Client) -> None:
    port = sequra.url.rsplit(":", 1)[1]
    svea = Client(f"http://localhost:{port}", "svea-demo", "svea-secret", "svea_fr")
    elsewhere = Client(sequra.url, "svea-demo", "svea-secret", "svea_fr")

    rows = svea.call("GET", "merchants/credentials").json()

    assert [(row["ref"], row["realm"]) for row in rows] == [("svea_fr", "svea")]
    assert "services" in rows[0]["contract_options"]
    assert elsewhere.call("GET", "merchants/credentials").status_code == 401
    svea.session.close()
    elsewhere.session.close()


@pytest.mark.parametrize(
    ("username", "password"), [("demo", "wrong"), ("nobody", "demo-secret"), ("", "")]
)
def test_a_stranger_is_turned_away_in_plain_text(
    sequra: Client, username: str, password: str
) -> None:
    sequra.username, sequra.password = username, password

    answer = sequra.call("GET", "merchants/credentials")

    assert (answer.status_code, answer.text) == (401, "HTTP Basic: Access denied.")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_changed_password_turns_the_old_one_away(sequra: Client) -> None:
    sequra.control("sequra/knobs", {"passwords": {"demo": "another"}})

    assert sequra.call("GET", "merchants/credentials").status_code == 401


@pytest.mark.parametrize("ref", ["demo_es", "svea_fr"])
def test_one_merchants_credentials_are_its_accounts_alone(sequra: Client, ref: str) -> None:
    answer = sequra.call("GET", f"merchants/{ref}/credentials")

    assert answer.status_code == (200 if ref == "demo_es" else 403)


def test_every_answer_has_a_request_id(sequra: Client) -> None:
    answers = [
        sequra.call("GET", "deployments"),
        sequra.call("GET", "merchants/test/payment_methods"),
        sequra.call("DELETE", "orders"),
    ]

    assert [answer.status_code for answer in answers] == [200, 403, 405]
    assert all(re.fullmatch("[0-9a-f-]{36}", each.headers["X-Request-Id"]) for each in answers)


def methods(answer: requests.Response) -> list[tuple[str, str | None]]:
    options = answer.json()["payment_options"]
    return [(each["product"], each["campaign"]) for row in options for each in row["methods"]]


def test_a_merchants_methods_have_bounds_and_no_costs(sequra: Client) -> None:
    answer = sequra.call("GET", "merchants/demo_es/payment_methods")

    options = answer.json()["payment_options"]
    assert [row["category"] for row in options] == ["pay_now", "pay_later", "part_payment"]
    assert methods(answer) == [("i1", None), ("pp5", "temporary"), ("sp1", None), ("pp3", None)]
    pp3 = options[2]["methods"][1]
    assert (pp3["min_amount"], pp3["max_amount"]) == (5000, 300_000)
    assert set(pp3["cost"].values()) == {0}


@pytest.mark.parametrize(
    ("header", "path", "words"),
    [
        ("demo_es", "merchants/test/payment_methods", "Bad merchant id 'test' for demo"),
        ("demo_fr", "merchants/demo_es/payment_methods", "You do not have access to this URL"),
        ("svea_fr", "merchants/demo_es/payment_methods", "Bad merchant id 'svea_fr' for demo"),
        ("", "merchants/demo_es/payment_methods", "Bad merchant id '' for demo"),
        ("demo_es", "orders/test/payment_methods", "Bad order id 'test' for demo"),
        ("demo_es", f"orders/{UNKNOWN}/payment_methods", f"Bad order id '{UNKNOWN}' for demo"),
    ],
)
def test_the_wrong_merchant_or_order_is_forbidden(
    sequra: Client, header: str, path: str, words: str
) -> None:
    answer = sequra.call("GET", path, Sequra_Merchant_Id=header)

    assert (answer.status_code, answer.json()) == (403, {"errors": [words]})


def test_an_order_costs_what_its_amount_makes_it_cost(sequra: Client) -> None:
    uuid = sequra.solicit(solicitation())

    answer = sequra.call("GET", f"orders/{uuid}/payment_methods")

    found: dict[str, Any] = {
        each["product"]: each for row in answer.json()["payment_options"] for each in row["methods"]
    }
    assert found["pp3"]["title"] == "Paga Fraccionado desde 12,24 €/mes"
    assert found["pp3"]["cost"] == {
        "setup_fee": 0,
        "instalment_fee": 300,
        "down_payment_fees": 300,
        "instalment_total": 1224,
    }
    assert found["pp5"]["cost_description"] == "+ 2,95 €"
    assert found["sp1"]["cost"]["instalment_total"] == 3696


@pytest.mark.parametrize(
    ("cents", "products"),
    [(900, ["i1"]), (1200, ["i1", "sp1"]), (4999, ["i1", "pp5", "sp1"]), (400_000, [])],
)
def test_methods_outside_their_bounds_are_not_offered(
    sequra: Client, cents: int, products: list[str]
) -> None:
    order = solicitation()
    order["cart"]["items"] = [{**order["cart"]["items"][1], "total_with_tax": cents}]
    order["cart"]["order_total_with_tax"] = cents

    answer = sequra.call("GET", f"orders/{sequra.solicit(order)}/payment_methods")

    assert [name for name, _ in methods(answer)] == products
