"""Compute how much store credit a checkout uses, which no server API returns.

V3 checkouts contain neither store credit nor gift certificates as payments
(https://docs.bigcommerce.com/docs/storefront/cart-checkout). The browser sends what it shows, and
its claim is accepted only if the customer's balance, read server to server, explains it to the
cent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from payloads.checkout.reasons import NotOffered, Reason
from payloads.money import Amount, euros, to_cents
from transport.reading import section, sections


@dataclass(frozen=True)
class Claim:
    """The browser's claim: credit is applied, and so many cents are left to pay."""

    applied: bool = False
    outstanding: int | None = None

    @classmethod
    def of(cls, applied: bool, outstanding: Amount | None) -> Self:
        """Return the claim of major units, as the storefront shows them. Raise ValueError."""
        return cls(applied, None if outstanding is None else to_cents(outstanding))

    def __str__(self) -> str:
        return f"{'credit' if self.applied else 'no credit'}, {self.outstanding} left"


def credit_balance(customer: Mapping[str, Any] | None) -> int:
    """Return a customer's store credit in cents, of GET /v3/customers?include=storecredit."""
    amounts = sections(section(customer).get("store_credit_amounts"))
    return max(0, sum(to_cents(entry.get("amount", "")) for entry in amounts))


def store_credit(balance: int, total: int, claim: Claim) -> int:
    """Return the credit that pays part of `total`, in cents: the whole balance, or none.

    BigCommerce always uses the whole balance. A claim that this does not explain is refused: a
    lower amount to pay means a payment unknown to us, such as a gift certificate; a higher one
    means that the browser or we have an old checkout.
    """
    credit = max(0, min(balance, total)) if claim.applied else 0
    left = total - credit
    if claim.outstanding is None or claim.outstanding == left:
        return credit
    detail = f"the browser showed {euros(claim.outstanding)} to pay, we computed {euros(left)}"
    unseen = 0 <= claim.outstanding < left
    raise NotOffered(Reason.GIFT_CERTIFICATE if unseen else Reason.UNEXPLAINED_BALANCE, detail)
