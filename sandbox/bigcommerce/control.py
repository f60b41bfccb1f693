"""BigCommerce's part of the control API."""

from typing import Any

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []


def seed() -> None:
    """Rows of an empty database."""


def reset() -> None:
    """Forget what is kept in memory."""


def world() -> dict[str, Any]:
    """What BigCommerce holds."""
    return {}
