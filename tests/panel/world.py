"""A store with a history: every page of the control panel has something to show."""

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from orders.models import Order, WebhookEvent
from panel.session import open_session
from payments.models import Offer
from stores.models import Connection, Merchant, PanelUser, Store
from tests.stores.conftest import ALL_SCOPES
from transaction_log import record

CHECKOUT = "0f6cb3d2-8a4e-4a3f-9d7c-3b1b2c4d5e6f"
METHODS: list[dict[str, Any]] = [
    {
        "product": product,
        "campaign": campaign,
        "title": title,
        "long_title": title,
        "claim": "",
        "description": "",
        "icon": "",
        "cost": {},
        "cost_description": "",
        "starts_at": "2026-02-22T21:22:00Z",
        "ends_at": None,
        "min_amount": least,
        "max_amount": most,
        "category": "part_payment",
        "category_title": title,
    }
    for product, campaign, title, least, most in [
        ("i1", None, "Paga Después", None, 40_000),
        ("sp1", "permanente", "Divide tu pago en 3", 3_000, 150_000),
        ("pp3", None, "Paga Fraccionado", 5_000, 300_000),
    ]
]
# The pages of the control panel, below a session.
PAGES = (
    "",
    "sales/",
    "orders/",
    "log/",
    "shipping/",
    "reconciliation/",
    "payment-methods/",
    "why/",
    f"why/?q={CHECKOUT}",
    "why/?q=1001",
    "why/?country=ES&amount=20000&currency=USD&products=SKU-1&ip=8.8.8.8",
    "why/?country=ES&amount=99.50&currency=EUR&products=&ip=",
    "settings/",
    "settings/storefronts/",
    "settings/storefronts/7/",
    "settings/audience/",
    "settings/exclusions/",
    "countries/",
    "settings/order-statuses/",
    "settings/widgets/",
    "settings/reports/",
    "settings/alerts/",
    "settings/history/",
    "connection/",
    "self-test/",
    "orders/1001/",
    "orders/77/",
)


def healthy() -> dict[str, Any]:
    at = timezone.now().isoformat()
    parts = ("information", "webhooks", "script", "panel")
    return {part: {"ok": True, "at": at, "problems": []} for part in parts}


def empty_store(store_hash: str = "abc123", **fields: Any) -> Store:
    """As on the day of the installation."""
    return Store.objects.create(
        hash=store_hash,
        name="Calzados Marina",
        access_token="token",
        control_panel_url="https://store-abc123.mybigcommerce.com",
        timezone="Europe/Madrid",
        currency="EUR",
        **{
            "scopes": ALL_SCOPES,
            "registration": healthy(),
            "status_labels": {"11": "Por preparar", "2": "Enviado"},
            "channels": [
                {"id": 1, "name": "Calzados Marina", "origins": []},
                {"id": 7, "name": "Outlet", "origins": []},
            ],
            **fields,
        },
    )


def filled_store(store_hash: str = "abc123", **fields: Any) -> Store:
    """Connected, selling in two countries, with 30 days of orders behind it."""
    store = empty_store(
        store_hash,
        allowed_ips=["203.0.113.0/24"],
        excluded_categories=[23],
        excluded_products=["SKU-1"],
        catalogue_names={"category 23": "Ofertas", "product SKU-1": "Sandalia Playa"},
        **fields,
    )
    connection = Connection.objects.create(
        store=store,
        deployment="sequra",
        environment=store.environment,
        username="calzados_marina",
        password="secret",
        api_url="http://127.0.0.1:9",
    )
    for country in ("ES", "PT"):
        Merchant.objects.create(
            store=store,
            connection=connection,
            country=country,
            ref=f"calzados_{country.lower()}",
            contract_options=["services"],
            payment_methods=METHODS,
            payment_methods_at=timezone.now(),
        )
    for number in range(28):
        add_order(store, connection, number)
    _log(store)
    _asked(store)
    WebhookEvent.objects.create(store=store, scope="store/order/created", hash="h", payload={})
    return store


def add_order(store: Store, connection: Connection, number: int) -> Order:
    states = {3: Order.Status.IN_REVIEW, 9: Order.Status.IN_REVIEW, 12: Order.Status.CANCELLED}
    return Order.objects.create(
        store=store,
        connection=connection,
        merchant_ref="calzados_es",
        bigcommerce_id=1000 + number,
        reference=uuid.uuid4(),
        order_ref_1=str(1000 + number),
        status=states.get(number, Order.Status.APPROVED),
        product="pp3",
        payment_method="Paga Fraccionado",
        amount=4_990 + (number * 7_919) % 61_000,
        placed_at=timezone.now() - timedelta(days=(number * 11) % 29, hours=number % 7),
    )


def _log(store: Store) -> None:
    orders = {order.bigcommerce_id: order for order in store.orders.select_related("connection")}
    for event in ("ship", "refund"):
        record.accepted(orders[1005].subject, event)
    record.accepted(orders[1001].subject, "purchase")
    record.rejected(
        orders[1001].subject, "ship", "sequra_409", words="Cart does not add up", statement="a"
    )
    record.rejected(orders[1002].subject, "refund", "sequra_409", words="No", statement="b")
    record.delayed(orders[1004].subject, "edit", "sequra_unavailable", words="timed out")
    record.delayed(orders[1003].subject, "ship", "in_review")
    store.entries.filter(bigcommerce_id=1002, closed_at=None).update(
        at=timezone.now() - timedelta(days=9)
    )


def _asked(store: Store) -> None:
    now = timezone.now()
    for minutes, reasons, detail in [
        (9, ["no_email", "no_shipping_option"], ""),
        (5, ["ip_not_allowed", "excluded_category"], ""),
        (2, [], ""),
    ]:
        Offer.objects.create(
            store=store,
            checkout_id=CHECKOUT,
            reasons=reasons,
            detail=detail,
            at=now - timedelta(minutes=minutes),
        )


def session_of(store: Store, locale: str = "en-US", number: int = 9) -> str:
    """The address of a new session: `/s/…/`."""
    user, _ = PanelUser.objects.update_or_create(
        store=store, bigcommerce_id=number, defaults={"locale": locale}
    )
    return f"/s/{open_session(user)}/"
