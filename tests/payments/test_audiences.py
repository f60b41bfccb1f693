"""Companies and customer groups to which the merchant does not offer SeQura."""

from typing import Any

import pytest

from payments.models import Offer
from stores.models import Store
from tests.payments.shop import Shop

COMPANIES = 4


def reasons(shop: Shop, **wishes: Any) -> list[str]:
    offered = shop.offer(shop.sandbox.checkout(**wishes)["checkout_id"])
    assert Offer.objects.latest("pk").reasons == offered.reasons
    return [str(reason) for reason in offered.reasons]


def customer(shop: Shop, **fields: Any) -> int:
    person = {"email": "eva@empresa.example", "first_name": "Eva", "last_name": "Sanz"}
    return int(shop.sandbox.control("POST", "customers", person | fields)["id"])


def setting(shop: Shop, **columns: Any) -> None:
    Store.objects.update(**columns)
    shop.store = Store.objects.get(pk=shop.store.pk)


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, []),
        ({"billing": {"company": "  "}}, []),
        ({"billing": {"company": "Empresa S. L."}}, ["company"]),
        # Delivered where somebody works, and billed to a person.
        ({"address": {"company": "Empresa S. L."}, "billing": {"company": ""}}, []),
    ],
)
def test_a_company_name_hides_sequra_where_the_merchant_wants_it(
    shop: Shop, wishes: dict[str, Any], expected: list[str]
) -> None:
    assert reasons(shop, **wishes) == []

    setting(shop, offers_companies=False)

    assert reasons(shop, **wishes) == expected


def test_an_account_of_a_company_is_a_company(shop: Shop) -> None:
    company, person = customer(shop, company="Empresa S. L."), customer(shop)
    assert reasons(shop, customer_id=company) == []

    setting(shop, offers_companies=False)

    assert reasons(shop, customer_id=company, billing={"company": ""}) == ["company"]
    assert reasons(shop, customer_id=person) == []


def test_a_customer_group_hides_sequra_from_its_members_alone(shop: Shop) -> None:
    member, other = customer(shop, group_id=COMPANIES), customer(shop, group_id=5)
    assert reasons(shop, customer_id=member) == []

    setting(shop, excluded_groups=[COMPANIES])

    assert reasons(shop, customer_id=member) == ["customer_group"]
    assert reasons(shop, customer_id=other) == []
    assert reasons(shop) == []  # a guest


def test_a_group_that_is_unknown_is_no_reason_to_offer(shop: Shop) -> None:
    member = customer(shop, group_id=COMPANIES)
    shop.sandbox.fault(r"/v3/customers", status=403, body={"title": "No scope"}, times=0)
    assert reasons(shop, customer_id=member) == []

    setting(shop, excluded_groups=[COMPANIES])

    assert reasons(shop, customer_id=member) == ["refused_by_bigcommerce"]
    assert reasons(shop) == []


def test_an_excluded_group_costs_a_checkout_no_further_call(shop: Shop) -> None:
    member = customer(shop, group_id=COMPANIES)
    shop.solicited(customer_id=member)
    before = paths(shop)
    setting(shop, excluded_groups=[COMPANIES + 1])

    shop.solicited(customer_id=member)

    assert paths(shop) == before * 2


def paths(shop: Shop) -> list[str]:
    """What was asked of BigCommerce about customers since the installation."""
    calls = shop.sandbox.calls(system="bigcommerce", in_path="/customer")
    return [one["path"].partition("?")[0] for one in calls]
