"""How the pretend SeQura writes amounts."""

from typing import Any

from django import template

from sandbox.sequra import offers

register = template.Library()


@register.filter
def euros(cents: int) -> str:
    """Cents as 1234,56 €, with a minus where it belongs."""
    sign = "−" if cents < 0 else ""
    return sign + offers.euros(abs(cents))


@register.filter
def lines(cart: dict[str, Any]) -> list[dict[str, Any]]:
    """A cart's items: in a template `cart.items` would be the dictionary's method."""
    found: list[dict[str, Any]] = cart["items"]
    return found
