"""Filters and tags of the demo pages."""

from datetime import datetime
from typing import Any

from django import template

from sandbox.shop import money, texts

register = template.Library()


@register.filter
def price(value: Any, currency: str = "EUR") -> str:
    return money.amount(value, currency)


@register.simple_tag(takes_context=True)
def cost(context: dict[str, Any], value: Any, currency: str = "EUR") -> str:
    """An amount in the language of the shop's page."""
    return money.amount(value, currency, context["language"])


@register.simple_tag(takes_context=True)
def t(context: dict[str, Any], english: str, **values: Any) -> str:
    """A text in the language of the shop's page."""
    return texts.text(english, context["language"], **values)


@register.filter
def ware(name: str, language: str) -> str:
    return texts.ware(name, language)


@register.filter
def moment(value: datetime) -> str:
    return money.moment(value)
