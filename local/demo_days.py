"""The month before the demo: checkouts, payments and orders of the days before today.

They make the charts of the overview and of the sales page live, and show the same figures on every
machine. Both sandbox systems are without them, so every row is one that nothing works on again:
nothing is due, a refused payment was never confirmed, and the orders count as completed and left
alone (`orders.drift.checks.open_orders`).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, UUID, uuid5

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from orders.models import Order
from payloads.checkout.reasons import Reason
from payments.models import Offer, Solicitation
from stores.models import Connection, Store
from stores.storefronts import time_zone_of

DAYS = 29  # and today, which the demo itself fills
_MARK = "demo-"  # what `token_digest` begins with: no token has such a digest
_NEXT_ORDER = 1001  # BigCommerce's first order in the sandbox
_COMPLETED = 10  # BigCommerce's status
_DAILY, _BUSY = range(20, 30), 12  # checkouts of a day, and how many more on two of seven
_CENTS = range(3_900, 64_900, 50)
_PAID, _FORM_LEFT, _NOT_CHOSEN = "paid", "form_left", "not_chosen"
_HIDDEN = (Reason.AMOUNT, Reason.COUNTRY, Reason.EXCLUDED_PRODUCT, Reason.GIFT_CERTIFICATE)
_REFUSED = ("cart_changed", "conversion_refused", "checkout_gone")
# How often each ending comes; most shoppers who see SeQura pay otherwise.
_ENDINGS = {
    _PAID: 400,
    _FORM_LEFT: 160,
    _NOT_CHOSEN: 700,
    **dict(zip(_HIDDEN, (110, 50, 30, 10), strict=True)),
    **dict(zip(_REFUSED, (8, 5, 3), strict=True)),
}
# Country, product, the method's name on orders, and how often in a hundred.
_SOLD = (
    ("ES", "pp3", "Paga Fraccionado", 30),
    ("ES", "i1", "Recibe tu compra antes de pagar", 22),
    ("ES", "sp1", "Divide en 3 partes", 14),
    ("PT", "pp3", "Pagamento Fracionado", 16),
    ("FR", "sp1", "Payez en 3 fois", 11),
    ("IT", "pp3", "Pagamento a rate", 7),
)
_PEOPLE = (("Demo", "Alonso Vidal"), ("Demo", "Ferreira Dias"), ("Demo", "Moreau"))


@dataclass(frozen=True)
class _Checkout:
    """One checkout of the past; `ending` is a reason, a refusal, or one of the three above."""

    number: int
    at: datetime
    country: str
    product: str
    method: str
    cents: int
    ending: str

    def uuid(self, part: str) -> UUID:
        return uuid5(NAMESPACE_OID, f"{_MARK}{part}-{self.number}")


def _checkouts(today: datetime) -> Iterator[_Checkout]:
    """Return the checkouts of the days before today, the oldest first. Pure."""
    chance = random.Random(DAYS)
    number = 0
    for ago in range(DAYS, 0, -1):
        day = today - timedelta(days=ago)
        count = chance.choice(_DAILY) + (_BUSY if ago % 7 < 2 else 0)
        for minute in sorted(chance.sample(range(8 * 60, 21 * 60), count)):
            number += 1
            (sold,) = chance.choices(_SOLD, [one[-1] for one in _SOLD])
            (ending,) = chance.choices(list(_ENDINGS), list(_ENDINGS.values()))
            at, cents = day + timedelta(minutes=minute), chance.choice(_CENTS)
            yield _Checkout(number, at, *sold[:3], cents, ending)


def seed(store_hash: str) -> None:
    """Fill the days before today of this store, unless they were filled before."""
    store = Store.objects.get(hash=store_hash)
    account = store.connections.get(environment=store.environment)
    with transaction.atomic():
        if Solicitation.objects.filter(store=store, token_digest__startswith=_MARK).exists():
            return
        now = timezone.localtime(timezone.now(), time_zone_of(store))
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        found = list(_checkouts(today))
        paid = [one for one in found if one.ending == _PAID]
        numbers = {one: _NEXT_ORDER - len(paid) + place for place, one in enumerate(paid)}
        opened = [one for one in found if one.ending in (_PAID, _FORM_LEFT, *_REFUSED)]
        Offer.objects.bulk_create(_offer(store, one) for one in found)
        Solicitation.objects.bulk_create(
            _solicitation(store, account, one, numbers.get(one)) for one in opened
        )
        Order.objects.bulk_create(_order(store, account, one, numbers[one]) for one in paid)


def _offer(store: Store, one: _Checkout) -> Offer:
    return Offer(
        store=store,
        checkout_id=str(one.uuid("checkout")),
        environment=store.environment,
        reasons=[one.ending] if one.ending in _HIDDEN else [],
        at=one.at,
    )


def _solicitation(
    store: Store, account: Connection, one: _Checkout, order_id: int | None
) -> Solicitation:
    """Return a payment that is over: paid, refused before its confirmation, or given up."""
    found = Solicitation(
        store=store,
        connection=account,
        merchant_ref=f"demo_{one.country.lower()}",
        checkout_id=str(one.uuid("checkout")),
        token_digest=f"{_MARK}{one.number}",
        order={},
        fingerprint=_MARK,
        amount=one.cents,
        currency="EUR",
        country=one.country,
        reference=one.uuid("sequra"),
        product=one.product,
        form_shown_at=one.at + timedelta(minutes=1),
        created_at=one.at,
        order_id=order_id,
    )
    if one.ending != _FORM_LEFT:
        found.state, found.notified_at = Solicitation.State.APPROVED, one.at + timedelta(minutes=3)
    if one.ending in _REFUSED:
        found.phase, found.refusal = Solicitation.Phase.REFUSED, one.ending
    if one.ending == _PAID:
        found.phase, found.done_at = Solicitation.Phase.DONE, one.at + timedelta(minutes=4)
        found.intended_state = found.accepted_state = found.shown_state = "confirmed"
        found.confirm_intent_at = found.notified_at
    return found


def _order(store: Store, account: Connection, one: _Checkout, number: int) -> Order:
    """Return an order that was completed: nothing is due, and nothing is compared or reported."""
    given_names, surnames = _PEOPLE[one.number % len(_PEOPLE)]
    email = f"demo.{one.number}@example.com"
    return Order(
        store=store,
        connection=account,
        merchant_ref=f"demo_{one.country.lower()}",
        bigcommerce_id=number,
        reference=one.uuid("sequra"),
        order_ref_1=str(number),
        status=Order.Status.APPROVED,
        product=one.product,
        payment_method=f"SeQura - {one.method}",
        amount=one.cents,
        placed_at=one.at + timedelta(minutes=4),
        left_alone=True,
        is_new=False,
        seen_status=_COMPLETED,
        solicited={"customer": {"given_names": given_names, "surnames": surnames, "email": email}},
    )


def add_operator(username: str, password: str) -> None:
    """Let this operator into the demo's admin, unless there is one of that name."""
    users = get_user_model().objects
    if not users.filter(username=username).exists():
        users.create_superuser(username, password=password)
