"""The payment methods a merchant offers, and what they cost for an amount in cents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

SINCE, UNTIL = "2000-02-22T21:22:00Z", "2222-02-22T21:22:00Z"
INSTALMENTS, INSTALMENT_FEE = 12, 300


@dataclass(frozen=True)
class Method:
    """A product, with a campaign for some: what one button in the checkout sells."""

    product: str
    category: str
    title: str
    claim: str | None
    description: str
    long_title: str = ""
    campaign: str | None = None
    setup_fee: int = 0
    parts: int = 1
    least: int = 0
    most: int | None = None
    starts_at: str = SINCE
    ends_at: str = UNTIL

    def on_sale(self, amount: int) -> bool:
        """Whether an order of `amount` cents can be paid with this now."""
        since = datetime.fromisoformat(self.starts_at)
        until = datetime.fromisoformat(self.ends_at)
        within = self.least <= amount and (self.most is None or amount <= self.most)
        return within and since <= timezone.now() <= until

    def cost(self, amount: int) -> dict[str, int]:
        """Fees and the first instalment, in cents; all zero when nothing is bought yet."""
        if not amount:
            return dict.fromkeys(COSTS, 0)
        fee = INSTALMENT_FEE if self.product == "pp3" else 0
        total = 0 if self.product == "i1" else amount // self.parts + fee
        down = self.setup_fee + fee
        return dict(zip(COSTS, (self.setup_fee, fee, down, total), strict=True))

    def row(self, amount: int) -> dict[str, Any]:
        """The method as an answer lists it."""
        cost = self.cost(amount)
        price = euros(cost["instalment_total"])
        title = self.title.format(price)
        return {
            "product": self.product,
            "campaign": self.campaign,
            "title": title,
            "long_title": (self.long_title or self.title).format(price),
            "claim": self.claim,
            "description": self.description,
            "icon": icon(self.product),
            "cost": cost,
            "cost_description": self.cost_description(cost),
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "widget": None,
            "info_widget": None,
        }

    def cost_description(self, cost: dict[str, int]) -> str | None:
        if self.setup_fee:
            return f"+ {euros(cost['setup_fee'])}"
        return self.claim.lower() if self.claim and self.product == "i1" else None


COSTS = ("setup_fee", "instalment_fee", "down_payment_fees", "instalment_total")


def euros(cents: int) -> str:
    """Cents as people in these countries write them: 7,24 €."""
    return f"{cents // 100},{cents % 100:02d} €"


ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 32" width="48" height="32" '
    'role="img" aria-hidden="true"><rect width="48" height="32" rx="6" fill="#12312b"/>{}</svg>'
)
DRAWINGS = {
    "i1": '<circle cx="24" cy="16" r="9" fill="none" stroke="#35d0a8" stroke-width="3"/>'
    '<path d="M24 11v6l4 3" fill="none" stroke="#fff" stroke-width="2.5"/>',
    "sp1": '<circle cx="13" cy="16" r="5" fill="#35d0a8"/><circle cx="24" cy="16" r="5" '
    'fill="#7fe3c9"/><circle cx="35" cy="16" r="5" fill="#fff"/>',
    "pp3": '<rect x="9" y="17" width="6" height="8" rx="1" fill="#35d0a8"/><rect x="18" y="13" '
    'width="6" height="12" rx="1" fill="#7fe3c9"/><rect x="27" y="9" width="6" height="16" '
    'rx="1" fill="#fff"/>',
    "pp5": '<rect x="13" y="8" width="22" height="17" rx="3" fill="none" stroke="#35d0a8" '
    'stroke-width="2.5"/><path d="M13 14h22" stroke="#fff" stroke-width="2.5"/>',
}


def icon(product: str) -> str:
    return ICON.format(DRAWINGS[product])


CATEGORIES = {
    "ES": {
        "pay_now": ("Paga ahora", "Con tarjeta de crédito o débito"),
        "pay_later": ("Paga Después", "Confirma la compra con tus datos personales"),
        "part_payment": ("Paga Fraccionado", "Hoy solo pagas la primera cuota"),
    },
    "FR": {
        "pay_now": ("Payez maintenant", "Par carte bancaire"),
        "pay_later": ("Payez plus tard", "Confirmez l'achat avec vos données personnelles"),
        "part_payment": ("Payez en plusieurs fois", "Aujourd'hui vous payez la première échéance"),
    },
    "IT": {
        "pay_now": ("Paga ora", "Con carta di credito o di debito"),
        "pay_later": ("Paga dopo", "Conferma l'acquisto con i tuoi dati personali"),
        "part_payment": ("Pagamento a rate", "Oggi paghi solo la prima rata"),
    },
    "PT": {
        "pay_now": ("Pague agora", "Com cartão de crédito ou débito"),
        "pay_later": ("Pague depois", "Confirme a compra com os seus dados pessoais"),
        "part_payment": ("Pagamento Fracionado", "Hoje só paga a primeira prestação"),
    },
}
METHODS = {
    "ES": (
        Method(
            "i1",
            "pay_later",
            "Recibe tu compra antes de pagar",
            "Sin coste adicional",
            "Compra ahora, recibe primero y paga después. Cuando tu pedido salga de la tienda "
            "tendrás 7 días para pagar desde el enlace que recibirás por SMS.",
            long_title="Recibe tu compra antes de pagar. 7 días desde el envío",
            most=150_000,
        ),
        Method(
            "pp5",
            "pay_later",
            "Paga el mes que viene",
            None,
            "Compra hoy y paga el primer día del mes que viene.",
            campaign="temporary",
            setup_fee=295,
            least=1_500,
            most=100_000,
        ),
        Method(
            "sp1",
            "part_payment",
            "Divide en 3 partes de {}",
            "Sin coste adicional",
            "Paga un tercio hoy y el resto en los dos meses siguientes, sin intereses.",
            parts=3,
            least=1_000,
            most=150_000,
        ),
        Method(
            "pp3",
            "part_payment",
            "Paga Fraccionado desde {}/mes",
            "o en 3 plazos sin coste",
            "Elige el plan de pago que prefieras. Solo con tu DNI o NIE, móvil y tarjeta.",
            long_title="Desde {}/mes o en 3 plazos sin coste",
            parts=INSTALMENTS,
            least=5_000,
            most=300_000,
        ),
    ),
    "FR": (
        Method(
            "sp1",
            "part_payment",
            "Payez en 3 fois {}",
            "Sans frais",
            "Un tiers aujourd'hui, le reste au cours des deux mois suivants.",
            parts=3,
            least=1_000,
            most=150_000,
        ),
        Method(
            "pp3",
            "part_payment",
            "Payez en plusieurs fois, dès {}/mois",
            "ou en 3 fois sans frais",
            "Choisissez votre échéancier. Une carte et un téléphone suffisent.",
            parts=INSTALMENTS,
            least=5_000,
            most=300_000,
        ),
    ),
    "IT": (
        Method(
            "pp3",
            "part_payment",
            "Pagamento a rate da {}/mese",
            "o in 3 rate senza costi",
            "Scegli il piano che preferisci: bastano codice fiscale, cellulare e carta.",
            parts=INSTALMENTS,
            least=5_000,
            most=300_000,
        ),
    ),
    "PT": (
        Method(
            "pp3",
            "part_payment",
            "Pagamento Fracionado desde {}/mês",
            "ou em 3 prestações sem custos",
            "Escolha o plano que preferir. Só precisa do NIF, telemóvel e cartão.",
            parts=INSTALMENTS,
            least=5_000,
            most=300_000,
        ),
    ),
}


def of_merchant(country: str) -> dict[str, Any]:
    """Every method of a country with its bounds, for no amount in particular."""
    return listing(country, lambda method: bounded(method.row(0), method))


def bounded(row: dict[str, Any], method: Method) -> dict[str, Any]:
    return {**row, "min_amount": method.least, "max_amount": method.most}


def of_order(country: str, amount: int) -> dict[str, Any]:
    """The methods that an order of `amount` cents can be paid with, with their costs."""
    return listing(country, lambda method: method.row(amount) if method.on_sale(amount) else None)


def listing(country: str, row: Any) -> dict[str, Any]:
    options = []
    for category, (title, description) in CATEGORIES[country].items():
        rows = [row(method) for method in METHODS[country] if method.category == category]
        options.append(
            {
                "title": title,
                "description": description,
                "icon": None,
                "category": category,
                "methods": [found for found in rows if found],
            }
        )
    return {"payment_options": options}


def find(country: str, amount: int, product: str, campaign: str) -> Method | None:
    """The method on sale under this product and campaign; the first of the product without one."""
    for method in METHODS[country]:
        wanted = method.product == product and campaign in ("", method.campaign)
        if wanted and method.on_sale(amount):
            return method
    return None
