"""Who has an account at the pretend SeQura, and the merchants each account owns."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sandbox.settings import HOST, PORT, SVEA_HOST


@dataclass(frozen=True)
class Merchant:
    """A merchant id: it sells to one country, in its currency."""

    ref: str
    country: str
    contract_options: tuple[str, ...] = ()
    currency: str = "EUR"

    def row(self, realm: str) -> dict[str, Any]:
        """The merchant as `GET /merchants/credentials` lists it."""
        digest = sha256(self.ref.encode()).hexdigest()
        return {
            "ref": self.ref,
            "name": None,
            "country": self.country,
            "allowed_countries": [self.country],
            "currency": self.currency,
            "assets_key": digest[:10],
            "contract_options": list(self.contract_options),
            "extra_information": {"type": "regular", "phone_number": ""},
            "verify_signature": False,
            "signature_secret": digest[-32:],
            "confirmation_path": "default",
            "realm": realm,
        }


@dataclass(frozen=True)
class Account:
    """A user name and password on one deployment, and the merchants they open."""

    username: str
    password: str
    deployment: str
    merchants: dict[str, Merchant] = field(default_factory=dict)


def by_ref(*merchants: Merchant) -> dict[str, Merchant]:
    return {merchant.ref: merchant for merchant in merchants}


ALL_SERVICES = ("services", "allow_first_instalment_delay", "with_registration")
ACCOUNTS = {
    account.username: account
    for account in (
        Account(
            "demo",
            "demo-secret",
            "sequra",
            by_ref(
                Merchant("demo_es", "ES"),
                Merchant("demo_fr", "FR"),
                Merchant("demo_it", "IT"),
                Merchant("demo_pt", "PT"),
                Merchant("demo_co", "CO", currency="COP"),
            ),
        ),
        Account(
            "svea-demo", "svea-secret", "svea", by_ref(Merchant("svea_fr", "FR", ALL_SERVICES))
        ),
    )
}
DEPLOYMENT_OF = {
    ref: account.deployment for account in ACCOUNTS.values() for ref in account.merchants
}


def api_url(deployment: str) -> str:
    """Where servers speak to a deployment; two names of one process tell the deployments apart."""
    host = SVEA_HOST if deployment == "svea" else HOST
    return f"http://{host}:{PORT}/"


def browser_url(deployment: str) -> str:
    """Where browsers meet a deployment: its forms, scripts and the portal."""
    host = "localhost" if deployment == "svea" else "sequra.localhost"
    return f"http://{host}:{PORT}/"


def deployment_at(host: str) -> str:
    """The deployment that answers under a host name."""
    return "svea" if host.partition(":")[0] in ("localhost", SVEA_HOST) else "sequra"


def deployments() -> list[dict[str, Any]]:
    """https://live.sequrapi.com/deployments, with this process in place of every host."""
    names = {"sequra": "seQura", "svea": "SVEA"}
    return [{"id": key, "name": name, **environments(key)} for key, name in names.items()]


def environments(deployment: str) -> dict[str, dict[str, str]]:
    urls = {
        "api_base_url": api_url(deployment),
        "assets_base_url": browser_url(deployment) + "assets/",
    }
    return {"live": urls, "sandbox": urls}
