"""Exact method, address, headers and body of every SeQura call, and what it makes of the answer."""

import base64
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import responses

from sequra.client import Rejected, Sequra, Unavailable, deployments
from sequra.documents import Addresses, Deployment
from tests.clients.asked import body_of, query_of, requests_of, timeout_of
from tests.clients.calls import FIXTURES, fixture
from tests.clients.test_bigcommerce_calls import AGENT

BASE = "https://sandbox.sequrapi.com"
DEPLOYMENTS = "https://live.sequrapi.com/deployments"
REFERENCE = UUID("0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a")
ORDER = fixture("sequra/order")
REPORT = fixture("sequra/delivery_report")
BASIC = "Basic " + base64.b64encode("tienda:contraseña".encode()).decode()

WRITES: dict[str, tuple[Callable[[Sequra], object], str, str, Any]] = {
    "put_order": (
        lambda sq: sq.put_order("tienda_es", REFERENCE, ORDER | {"state": "confirmed"}),
        "PUT",
        f"/orders/{REFERENCE}",
        {"order": ORDER | {"state": "confirmed"}},
    ),
    "update_order": (
        lambda sq: sq.update_order("tienda_es", "250", ORDER),
        "PUT",
        "/merchants/tienda_es/orders/250",
        {"order": ORDER},
    ),
    "update_order with a slash": (
        lambda sq: sq.update_order("tienda es", "A14/12345?x#y", ORDER),
        "PUT",
        "/merchants/tienda%20es/orders/A14%2F12345%3Fx%23y",
        {"order": ORDER},
    ),
    "send_delivery_report": (
        lambda sq: sq.send_delivery_report("tienda_es", REPORT),
        "POST",
        "/orders/delivery_reports",
        {"delivery_report": REPORT},
    ),
}

MERCHANTS = {"update_order with a slash": "tienda es"}


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("name", WRITES)
def test_write_is_exact(
    remote: responses.RequestsMock, sequra: Sequra, name: str, status: int
) -> None:
    run, method, path, body = WRITES[name]
    remote.add(method, BASE + path, status=status, body=b"" if status == 204 else b"done")

    assert run(sequra) is None

    (sent,) = requests_of(remote)
    assert sent.url == BASE + path
    assert body_of(sent) == body
    assert sent.headers["Authorization"] == BASIC
    assert sent.headers["Sequra-Merchant-Id"] == MERCHANTS.get(name, "tienda_es")
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["User-Agent"] == AGENT


def test_credentials_name_no_merchant(remote: responses.RequestsMock, sequra: Sequra) -> None:
    remote.get(f"{BASE}/merchants/credentials", json=fixture("sequra/credentials"))
    assert sequra.credentials() == fixture("sequra/credentials")
    (sent,) = requests_of(remote)
    assert sent.headers["Authorization"] == BASIC
    assert "Sequra-Merchant-Id" not in sent.headers


def test_credentials_survive_a_plain_text_401(
    remote: responses.RequestsMock, sequra: Sequra
) -> None:
    remote.get(
        f"{BASE}/merchants/credentials",
        status=401,
        body="HTTP Basic: Access denied.",
        content_type="text/plain",
    )
    with pytest.raises(Rejected) as caught:
        sequra.credentials()
    assert caught.value.message == "HTTP Basic: Access denied."
    assert caught.value.is_unauthorised


def test_payment_methods_of_a_merchant_are_one_list(
    remote: responses.RequestsMock, sequra: Sequra
) -> None:
    remote.get(
        f"{BASE}/merchants/tienda_es/payment_methods", json=fixture("sequra/payment_methods")
    )
    methods = sequra.payment_methods("tienda_es")
    assert requests_of(remote)[0].headers["Sequra-Merchant-Id"] == "tienda_es"
    assert [(method["product"], method["campaign"]) for method in methods] == [
        ("i1", None),
        ("pp5", "temporary"),
        ("pp3", None),
    ]
    assert methods[0] == {
        "product": "i1",
        "campaign": None,
        "title": "Paga Después",
        "long_title": "Paga después. 7 días desde el envío",
        "claim": "Sin coste adicional",
        "description": "Recibe primero",
        "icon": "<svg/>",
        "cost": {
            "setup_fee": 0, "instalment_fee": 0, "down_payment_fees": 0, "instalment_total": 0,
        },
        "cost_description": "sin coste adicional",
        "starts_at": "2000-02-22T21:22:00Z",
        "ends_at": "2222-02-22T21:22:00Z",
        "min_amount": None,
        "max_amount": None,
        "category": "pay_later",
        "category_title": "Paga Después",
    }  # fmt: skip
    assert (methods[1]["icon"], methods[2]["category_title"]) == ("", "Paga Fraccionado")


def test_order_payment_methods_belong_to_the_solicitation(
    remote: responses.RequestsMock, sequra: Sequra
) -> None:
    url = f"{BASE}/orders/{REFERENCE}/payment_methods"
    remote.get(url, json=fixture("sequra/payment_methods"))
    assert len(sequra.order_payment_methods("tienda_es", REFERENCE, timeout=(1, 2))) == 3
    assert requests_of(remote)[0].headers["Sequra-Merchant-Id"] == "tienda_es"
    assert timeout_of(requests_of(remote)[0]) == (1, 2)


@pytest.mark.parametrize(
    "document", [{}, [], None, {"payment_options": 5}, {"payment_options": ["x"]}]
)
def test_payment_methods_of_another_shape_are_unavailable(
    remote: responses.RequestsMock, sequra: Sequra, document: object
) -> None:
    remote.get(f"{BASE}/merchants/tienda_es/payment_methods", json=document)
    with pytest.raises(Unavailable, match="has not the documented shape"):
        sequra.payment_methods("tienda_es")


@pytest.mark.parametrize(
    "location",
    [
        f"{BASE}/orders/{REFERENCE}",
        f"/orders/{REFERENCE}",
        f"{BASE}/orders/{REFERENCE}?utm=1#x",
        f"http://169.254.169.254/latest/{REFERENCE}",
    ],
)
def test_solicit_takes_only_the_uuid_of_location(
    remote: responses.RequestsMock, sequra: Sequra, location: str
) -> None:
    remote.post(f"{BASE}/orders", status=204, headers={"Location": location})
    assert sequra.solicit("tienda_es", ORDER) == REFERENCE
    (sent,) = requests_of(remote)
    assert body_of(sent) == {"order": ORDER}
    assert sent.headers["Sequra-Merchant-Id"] == "tienda_es"
    assert len(remote.calls) == 1


@pytest.mark.parametrize(
    "location",
    [None, "", f"{BASE}/orders/", f"{BASE}/orders/12", f"{BASE}/o?{REFERENCE}", "http://["],
)
def test_solicit_without_a_uuid_is_unavailable(
    remote: responses.RequestsMock, sequra: Sequra, location: str | None
) -> None:
    headers = {} if location is None else {"Location": location}
    remote.post(f"{BASE}/orders", status=204, headers=headers)
    with pytest.raises(Unavailable, match="names no order") as caught:
        sequra.solicit("tienda_es", ORDER)
    assert caught.value.maybe_done


@pytest.mark.parametrize(
    ("campaign", "query"),
    [
        ("temporary", {"product": "pp5", "campaign": "temporary", "ajax": "1"}),
        (None, {"product": "pp5", "ajax": "1"}),
        ("", {"product": "pp5", "ajax": "1"}),
    ],
)
def test_form_is_asked_for_as_html(
    remote: responses.RequestsMock, sequra: Sequra, campaign: str | None, query: dict[str, str]
) -> None:
    html = (FIXTURES / "sequra/form.html").read_text()
    url = f"{BASE}/orders/{REFERENCE}/form_v2"
    remote.get(url, body=html, content_type="text/html; charset=utf-8")
    assert sequra.form("tienda_es", REFERENCE, "pp5", campaign) == html
    (sent,) = requests_of(remote)
    assert query_of(sent) == query
    assert sent.headers["Accept"] == "text/html"
    assert sent.headers["Sequra-Merchant-Id"] == "tienda_es"


@pytest.mark.parametrize("kind", ["application/json", "image/svg+xml", "text/htmlx", ""])
def test_form_of_another_type_is_unavailable(
    remote: responses.RequestsMock, sequra: Sequra, kind: str
) -> None:
    remote.get(f"{BASE}/orders/{REFERENCE}/form_v2", body="<p>", content_type=kind)
    with pytest.raises(Unavailable, match="no HTML"):
        sequra.form("tienda_es", REFERENCE, "i1")


def test_form_is_capped_at_a_megabyte(remote: responses.RequestsMock, sequra: Sequra) -> None:
    url = f"{BASE}/orders/{REFERENCE}/form_v2"
    remote.get(url, body="x" * 1_000_000, content_type="text/html")
    remote.get(url, body="x" * 1_000_001, content_type="text/html")
    assert len(sequra.form("tienda_es", REFERENCE, "i1")) == 1_000_000
    with pytest.raises(Unavailable, match="more than 1000000 bytes"):
        sequra.form("tienda_es", REFERENCE, "i1")


def test_put_order_takes_the_time_it_is_given(
    remote: responses.RequestsMock, sequra: Sequra
) -> None:
    remote.put(f"{BASE}/orders/{REFERENCE}")
    sequra.put_order("tienda_es", REFERENCE, ORDER, timeout=(0.5, 1.5))
    sequra.put_order("tienda_es", REFERENCE, ORDER)
    assert [timeout_of(sent) for sent in requests_of(remote)] == [(0.5, 1.5), (3, 10)]


def test_deployments_are_read_without_an_account(remote: responses.RequestsMock) -> None:
    remote.get(DEPLOYMENTS, json=fixture("sequra/deployments"))
    found = deployments(DEPLOYMENTS)
    assert [deployment.id for deployment in found] == ["sequra", "svea"]
    assert found[0] == Deployment(
        "sequra",
        "SeQura",
        {
            "sandbox": Addresses(BASE, "https://sandbox.sequracdn.com/assets"),
            "live": Addresses("https://live.sequrapi.com", "https://live.sequracdn.com/assets"),
        },
    )
    assert found[0].origins == {
        BASE,
        "https://sandbox.sequracdn.com",
        "https://live.sequrapi.com",
        "https://live.sequracdn.com",
    }
    (sent,) = requests_of(remote)
    assert "Authorization" not in sent.headers
    assert "Sequra-Merchant-Id" not in sent.headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://127.0.0.1:8100/", "http://127.0.0.1:8100"),
        ("http://localhost:8100", "http://localhost:8100"),
        ("https://API.Example.com/sequra/v1/?x=1#y", "https://api.example.com/sequra/v1"),
    ],
)
def test_deployment_address_is_its_origin_and_path(
    remote: responses.RequestsMock, given: str, kept: str
) -> None:
    pair = {"api_base_url": given, "assets_base_url": "https://a.example/assets/", "more": 1}
    remote.get(DEPLOYMENTS, json=[{"id": "sequra", "sandbox": pair, "test": {}}])
    (deployment,) = deployments(DEPLOYMENTS)
    assert deployment.environments == {"sandbox": Addresses(kept, "https://a.example/assets")}
    assert deployment.name == "sequra"


@pytest.mark.parametrize(
    "address",
    [
        "", "/orders", "sandbox.sequrapi.com", "ftp://a.example/", "file:///etc/passwd", "https://",
        "https://user@a.example/", "https://a.example:port/", "https://a.example\\@b/",
        "https://a .example/", "https://a.example/\n", "javascript:alert(1)", None, 5, "http://[::1",
    ],
)  # fmt: skip
def test_deployment_with_an_odd_address_is_unavailable(
    remote: responses.RequestsMock, address: object
) -> None:
    pair = {"api_base_url": address, "assets_base_url": "https://a.example/"}
    remote.get(DEPLOYMENTS, json=[{"id": "sequra", "name": "", "sandbox": pair}])
    with pytest.raises(Unavailable, match="has not the documented shape"):
        deployments(DEPLOYMENTS)


@pytest.mark.parametrize(
    "document", [{}, {"a": 1}, ["x"], None, 5, [{"name": "no id"}], [{"id": "s", "live": {}}]]
)
def test_deployments_of_another_shape_are_unavailable(
    remote: responses.RequestsMock, document: object
) -> None:
    remote.get(DEPLOYMENTS, json=document)
    with pytest.raises(Unavailable):
        deployments(DEPLOYMENTS)
