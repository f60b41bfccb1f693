"""What pays a part of a checkout besides SeQura: gift certificates, then store credit.

V3 checkouts contain neither. The GraphQL Storefront API shows the certificates that are applied and
what is left to pay. Whether store credit is off that balance is not documented, so every reading is
tried: the total, less the certificates or not, less the store credit or not. Without an answer, and
when no reading fits and no certificate is shown, the browser's claim decides alone
(`payloads.checkout.lines.store_credit`). Certificates that no reading explains hide SeQura.
https://docs.bigcommerce.com/developer/docs/storefront/guides/graphql-storefront-api
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from payloads.checkout.lines import Claim, store_credit
from payloads.checkout.reasons import NotOffered, Reason
from payloads.money import NotMoney, euros, to_cents
from payloads.order.lines import text
from transport.reading import section, sections


class Certificate(NamedTuple):
    """A gift certificate that is applied, and the cents that it pays. Its code is a secret."""

    code: str
    cents: int


@dataclass(frozen=True)
class OtherPayments:
    """Gift certificates in the order in which they are used, and store credit in cents."""

    certificates: tuple[Certificate, ...] = ()
    credit: int = 0

    @property
    def by_certificates(self) -> int:
        return sum(one.cents for one in self.certificates)

    @property
    def total(self) -> int:
        return self.by_certificates + self.credit

    def left(self, certificates: int, credit: int) -> "OtherPayments | None":
        """Return what is not paid yet on an order that shows these cents.

        None when it shows other payments than these.
        """
        rest = list(self.certificates)
        while rest and certificates >= rest[0].cents:
            certificates -= rest.pop(0).cents
        if certificates or credit not in (0, self.credit):
            return None
        return OtherPayments(tuple(rest), self.credit - credit)


class Shown(NamedTuple):
    """A checkout in the storefront's API: the cents left to pay, and the certificates applied."""

    left: int
    certificates: tuple[Certificate, ...]


def shown_payments(checkout: Mapping[str, Any], currency: str) -> Shown | None:
    """Return what the storefront's API shows of a checkout; None when it cannot be read.

    No list of certificates is no empty list.
    """
    balance, applied = section(checkout.get("outstandingBalance")), checkout.get("giftCertificates")
    if text(balance.get("currencyCode")) != currency or not isinstance(applied, list):
        return None
    try:
        certificates = map(_certificate, sections(applied))
        return Shown(
            to_cents(balance.get("value", "")),
            tuple(one for one in certificates if one.cents),
        )
    except NotMoney:
        return None


def _certificate(given: Mapping[str, Any]) -> Certificate:
    code, cents = text(given.get("code")), to_cents(section(given.get("used")).get("value", ""))
    if not code or cents < 0:
        raise NotMoney(f"a gift certificate that pays {cents} cents")
    return Certificate(code, cents)


def other_payments(balance: int, total: int, claim: Claim, shown: Shown | None) -> OtherPayments:
    """Return what pays a part of `total` cents. `balance`: the customer's store credit in cents.

    Raise `NotOffered` when the browser shows another amount and nothing decides between them, and
    when certificates are shown that the balance does not explain.
    """
    credit = None if shown is None else _credit_by(shown, balance, total, claim)
    if shown is None or credit is None:
        if shown and shown.certificates:
            detail = f"BigCommerce shows {euros(shown.left)} to pay of {euros(total)}"
            raise NotOffered(Reason.GIFT_CERTIFICATE, detail)
        return OtherPayments(credit=store_credit(balance, total, claim))
    return OtherPayments(shown.certificates, credit)


def _credit_by(shown: Shown, balance: int, total: int, claim: Claim) -> int | None:
    """Return the store credit that explains what is shown; None when none does.

    BigCommerce always uses the whole balance. A balance that is the same with and without store
    credit leaves the decision to the browser's claim.
    """
    rest = total - sum(one.cents for one in shown.certificates)
    credit = max(0, min(balance, rest))
    if rest < 0 or shown.left not in {rest, total, rest - credit, total - credit}:
        return None
    if shown.left not in (rest, total):
        return credit
    wanted = credit if claim.applied else 0
    if claim.outstanding not in (None, rest - wanted, total - wanted):
        detail = f"the browser showed {euros(claim.outstanding or 0)} to pay, not {euros(rest)}"
        raise NotOffered(Reason.UNEXPLAINED_BALANCE, detail)
    return wanted
