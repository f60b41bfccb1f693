"""Filters of the demo pages."""

from datetime import datetime
from typing import Any

from django import template

from sandbox.shop import money

register = template.Library()


@register.filter
def price(value: Any, currency: str = "EUR") -> str:
    return money.amount(value, currency)


@register.filter
def moment(value: datetime) -> str:
    return money.moment(value)
