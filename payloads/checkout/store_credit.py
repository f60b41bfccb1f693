"""How much store credit a checkout uses: the one thing the server cannot read anywhere.

V3 checkouts know neither store credit nor gift certificates as payments
(https://docs.bigcommerce.com/docs/storefront/cart-checkout). The browser says what it sees, and
we believe it only as far as the customer's balance, read by us, explains it to the cent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from payloads.checkout.reasons import NotOffered, Reason
from payloads.money import Amount, euros, to_cents
from transport.reading import section, sections


@dataclass(frozen=True)
class Claim:
    """What the browser says: credit is applied, and so much (cents) is left to pay."""

    applied: bool = False
    outstanding: int | None = None

    @classmethod
    def of(cls, applied: bool, outstanding: Amount | None) -> Self:
        """From major units, as the storefront shows them. ValueError when it is no amount."""
        return cls(applied, None if outstanding is None else to_cents(outstanding))

    def __str__(self) -> str:
        return f"{'credit' if self.applied else 'no credit'}, {self.outstanding} left"


def credit_balance(customer: Mapping[str, Any] | None) -> int:
    """A customer's store credit in cents, of GET /v3/customers?include=storecredit."""
    amounts = sections(section(customer).get("store_credit_amounts"))
    return max(0, sum(to_cents(entry.get("amount", "")) for entry in amounts))


def store_credit(balance: int, total: int, claim: Claim) -> int:
    """The credit that pays part of `total`, all in cents: all there is, or none.

    BigCommerce always uses the whole balance. A balance the browser shows that this does not
    explain is refused: less to pay than we know means a payment that we cannot see, a gift
    certificate; more to pay means that one of us looks at an old checkout.
    """
    credit = max(0, min(balance, total)) if claim.applied else 0
    left = total - credit
    if claim.outstanding is None or claim.outstanding == left:
        return credit
    detail = f"the browser showed {euros(claim.outstanding)} to pay, we computed {euros(left)}"
    unseen = 0 <= claim.outstanding < left
    raise NotOffered(Reason.GIFT_CERTIFICATE if unseen else Reason.UNEXPLAINED_BALANCE, detail)
