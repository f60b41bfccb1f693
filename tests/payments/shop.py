"""A store installed in the sandbox and connected to its SeQura, and shoppers who buy there."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.cache import cache

from local.sandbox_control import SandboxControl
from payments.models import Solicitation
from payments.notifications import record_state
from payments.solicit import Offered, Shopper, solicit
from payments.store_credit import Claim
from stores.clients import bigcommerce_for
from stores.connect import Login, connect
from stores.information import refresh
from stores.install import install
from stores.models import Store

SPANIARD = Shopper(ip="203.0.113.7", user_agent="Mozilla/5.0", locale="es-ES", layout="desktop")


class Shop:
    """What the tests do with the store; the pretend systems are at `sandbox`."""

    def __init__(self, sandbox: SandboxControl) -> None:
        cache.clear()
        self.sandbox = sandbox
        auth_url = sandbox.control("POST", "auth_url", {})["url"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(auth_url).query).items()}
        self.store: Store = install(query["code"], query["context"], query["scope"])
        refresh(bigcommerce_for(self.store), self.store)
        self.store.save()
        connect(self.store, "sandbox", {"sequra": Login("demo", "demo-secret")})

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
