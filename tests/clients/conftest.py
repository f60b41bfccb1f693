"""Clients with `responses`: whatever is not expected fails the test, nothing leaves the machine."""

from collections.abc import Iterator

import pytest
import responses

from bigcommerce.client import BigCommerce
from sequra.client import Sequra
from tests.clients.calls import API


@pytest.fixture
def remote() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def bigcommerce() -> BigCommerce:
    return BigCommerce(API, "abc123", "token-for-tests")


@pytest.fixture
def sequra() -> Sequra:
    return Sequra("https://sandbox.sequrapi.com/", "tienda", "contraseña")
