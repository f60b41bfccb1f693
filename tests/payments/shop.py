"""A store installed in the sandbox and connected to its SeQura, and shoppers who buy there."""

import uuid
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.cache import cache

from local.sandbox_control import SandboxControl
from payloads.checkout.lines import Claim
from payments.models import Solicitation
from payments.notifications import record_state
from payments.solicit import Offered, Shopper, solicit
from stores.clients import bigcommerce_for
from stores.connect import Login, _connect
from stores.install import install
from stores.models import Store
from stores.registration.parts import read_information

SPANIARD = Shopper(ip="203.0.113.7", user_agent="Mozilla/5.0", locale="es-ES", layout="desktop")


class Shop:
    """What the tests do with the store; the pretend systems are at `sandbox`."""

    def __init__(self, sandbox: SandboxControl) -> None:
        cache.clear()
        self.sandbox = sandbox
        self.store = self.install()
        read_information(bigcommerce_for(self.store), self.store)
        self.store.save()
        _connect(self.store, "sandbox", {"sequra": Login("demo", "demo-secret")})

    def install(self) -> Store:
        """The merchant clicks Install, the first time or again."""
        auth_url = self.sandbox.control("POST", "auth_url", {})["url"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(auth_url).query).items()}
        return install(query["code"], query["context"], query["scope"])

    def grant(self, scope: str = "store_storefront_api", **knobs: Any) -> None:
        """The merchant installs again, and consents to one scope more."""
        self.sandbox.knobs(more_scopes=scope, **knobs)
        self.store = self.install()

    @property
    def origin(self) -> str:
        return self.sandbox.origin("shop")

    def offer(
        self, checkout_id: str, *, applied: bool = False, outstanding: str | None = None
    ) -> Offered:
        """`solicit` for a checkout, as the storefront script asks for it."""
        claim = Claim.of(applied, outstanding)
        return solicit(self.store, checkout_id, claim, SPANIARD, self.origin)

    def solicited(self, **wishes: Any) -> Solicitation:
        """A checkout with a solicitation; the shopper has not chosen yet."""
        offered = self.offer(self.sandbox.checkout(**wishes)["checkout_id"])
        assert offered.solicitation, offered
        return offered.solicitation

    def approved(self, product: str = "pp3", **wishes: Any) -> Solicitation:
        """SeQura approved; its notification is recorded and nothing else has happened yet."""
        solicitation = self.solicited(**wishes)
        self.approve(solicitation, product)
        record_state(solicitation, Solicitation.State.APPROVED, product)
        return Solicitation.objects.get(pk=solicitation.pk)

    def approve(self, solicitation: Solicitation, product: str = "pp3") -> None:
        """The shopper finished the form; SeQura's own notification is lost."""
        self.lose_notifications()
        self.sandbox.drive("approve", str(solicitation.reference), product=product)

    def review(self, solicitation: Solicitation, product: str = "pp3") -> None:
        """SeQura wants to look at the payment; its own notification is lost."""
        self.lose_notifications()
        self.sandbox.drive("review", str(solicitation.reference), product=product)

    def lose_notifications(self) -> None:
        self.sandbox.control("POST", "sequra/knobs", {"notification": {"lost": True}})

    def end_review(self, solicitation: Solicitation, state: str) -> None:
        """SeQura's review is over; the notification or event is lost."""
        self.sandbox.control("POST", "sequra/knobs", {"event": {"lost": True}})
        verb = "approve" if state == Solicitation.State.APPROVED else "cancel"
        self.sandbox.drive(verb, str(solicitation.reference))

    def approved_with_credit(self, credit: str, product: str = "pp3") -> Solicitation:
        """A registered customer uses all their store credit, SeQura approved the rest."""
        customer = self.sandbox.control("POST", "customers", {"store_credit": credit})["id"]
        checkout = self.sandbox.checkout(customer_id=customer, store_credit=True)
        left = Decimal(str(checkout["grand_total"])) - Decimal(credit)
        offered = self.offer(checkout["checkout_id"], applied=True, outstanding=str(left))
        assert offered.solicitation, offered
        self.approve(offered.solicitation, product)
        record_state(offered.solicitation, Solicitation.State.APPROVED, product)
        return Solicitation.objects.get(pk=offered.solicitation.pk)

    def checkout_with(
        self, *certificates: str, credit: str = "", signed_in: bool = False
    ) -> dict[str, Any]:
        """A checkout to which gift certificates of these amounts are applied, and store credit."""
        customer = 0
        if credit or signed_in:
            new = {"store_credit": credit or "0"}
            customer = self.sandbox.control("POST", "customers", new)["id"]
        checkout = self.sandbox.checkout(customer_id=customer, store_credit=bool(credit))
        for balance in certificates:
            code = f"GIFT-{uuid.uuid4().hex[:8]}"
            self.sandbox.control("POST", "certificates", {"id": code, "balance": balance})
            body = {"checkout_id": checkout["checkout_id"], "code": code}
            self.sandbox.control("POST", "shopper/apply_gift_certificate", body)
        return checkout

    def approved_with(self, *certificates: str, credit: str = "") -> Solicitation:
        """SeQura approved what these gift certificates, and the store credit, leave to pay."""
        checkout = self.checkout_with(*certificates, credit=credit)
        used = sum(map(Decimal, filter(None, (*certificates, credit))), Decimal(0))
        left = Decimal(str(checkout["grand_total"])) - used
        offered = self.offer(
            checkout["checkout_id"], applied=bool(credit), outstanding=str(left)
        ).solicitation
        assert offered, offered
        self.approve(offered)
        record_state(offered, Solicitation.State.APPROVED, "pp3")
        return Solicitation.objects.get(pk=offered.pk)

    def certificates_left(self) -> dict[str, Decimal]:
        """The balance of every certificate but the catalogue's."""
        held = self.sandbox.held("certificates")
        return {one["code"]: Decimal(one["balance"]) for one in held if one["code"] != "GIFT-30"}

    def credit_left(self, solicitation: Solicitation) -> Decimal:
        """The balance of the customer who paid with this solicitation."""
        ref = int(solicitation.order["customer"]["ref"])
        customers = {one["id"]: one for one in self.sandbox.held("customers")}
        return Decimal(customers[ref]["store_credit"])

    def can_change_cart(self, solicitation: Solicitation) -> bool:
        """The cart is gone once the purchase is finished."""
        checkouts = {one["id"]: one for one in self.sandbox.held("checkouts")}
        return solicitation.checkout_id in checkouts

    def change_cart(self, solicitation: Solicitation) -> None:
        """The shopper takes one more, in another tab."""
        checkouts = {one["id"]: one for one in self.sandbox.held("checkouts")}
        line = checkouts[solicitation.checkout_id]["cart"]["line_items"]["physical_items"][0]
        self.sandbox.control(
            "POST",
            "shopper/change_quantity",
            {"checkout_id": solicitation.checkout_id, "line_id": line["id"], "quantity": 3},
        )
