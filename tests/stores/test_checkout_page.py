"""What the set-up list says about the merchant's checkout, and where it knows that from."""

from typing import Any

import pytest

from stores.models import Connection, Store
from stores.views.steps import Step, setup_steps

OPTIMIZED = {"id": 1, "name": "Casa Montseny", "checkout_type": "optimized_one_page"}


def step(*channels: dict[str, Any], connections: tuple[Connection, ...] = ()) -> Step:
    store = Store(hash="abc123", channels=list(channels))
    return next(one for one in setup_steps(store, connections, []) if "checkout page" in one.title)


def test_bigcommerces_own_checkout_is_fine() -> None:
    found = step(OPTIMIZED)

    assert (found.icon, found.details) == ("success", ())


def test_a_store_that_was_never_read_says_nothing() -> None:
    titles = [one.title for one in setup_steps(Store(hash="abc123"), [], [])]

    assert "Your checkout page" not in titles


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"checkout_type": "single"}, "optimized one-page checkout"),
        ({"custom_checkout": True}, "custom checkout"),
    ],
)
def test_another_checkout_is_named_with_a_remedy(told: dict[str, Any], words: str) -> None:
    found = step(OPTIMIZED, {**OPTIMIZED, "id": 2, "name": "Outlet", **told})

    assert found.icon == "warning"
    assert len(found.details) == 1
    assert found.details[0].startswith("Outlet ")
    assert words in found.details[0]


def test_terms_are_named() -> None:
    found = step(OPTIMIZED, {**OPTIMIZED, "id": 2, "terms": True})

    assert found.details == ("Shoppers have to accept your terms before they pay with SeQura.",)


def test_hosts_for_a_content_security_policy_can_be_copied(settings: Any) -> None:
    settings.APP_URL = "https://app.example.com"
    connection = Connection(
        api_url="https://sandbox.sequrapi.com/", assets_url="https://sandbox.sequracdn.com/assets/"
    )

    found = step(OPTIMIZED, connections=(connection,))

    sequra = "https://sandbox.sequracdn.com https://sandbox.sequrapi.com"
    assert found.details[1:] == (
        f"script-src https://app.example.com {sequra}",
        "connect-src https://app.example.com",
        f"frame-src {sequra}",
        "img-src data:",
    )
