"""BigCommerce's part of the control API.

POST merchant/<action>      {"order_id": 7, …}          sandbox/bigcommerce/merchant.py
POST shopper/<action>       {"checkout_id": "…", …}     sandbox/bigcommerce/shopper.py
POST checkouts              make_checkout's arguments → {"checkout_id", "url", "grand_total"}
POST install | auth_url | load_url | uninstall | remove_user       install.py's arguments
POST webhooks/hold | release | reorder | duplicate | drop | emit | redeliver
GET  webhooks               every event sent: hook, body, attempts, status; `pending` ones
POST channels               add a storefront {"id", "name", "url", …}
POST products | customers | groups | addresses | certificates   add one {"name", "price", …}
POST scripts/delete | hooks/deactivate | extensions/delete | token/revoke | store | channel
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.urls import path

from sandbox import knobs, settings
from sandbox.bigcommerce import (
    catalogue,
    catalogue_api,
    checkouts,
    extensions,
    hooks,
    install,
    merchant,
    scripts,
    shopper,
    stale,
    totals,
)
from sandbox.bigcommerce.answers import quota
from sandbox.bigcommerce.models import (
    AppExtension,
    Channel,
    Checkout,
    Customer,
    CustomerAddress,
    CustomerGroup,
    Document,
    GiftCertificate,
    Hook,
    Order,
    Product,
    Script,
    Store,
)
from sandbox.bigcommerce.reading import snapshot
from sandbox.bigcommerce.webhooks import dispatcher, emit
from sandbox.control_views import answering, posting

MERCHANT = (
    "edit_order", "edit_billing_address", "edit_shipping_address", "set_status", "cancel", "ship",
    "edit_shipment", "unship", "refund", "add_note", "message", "archive",
)  # fmt: skip
SHOPPER = (
    "add_line", "change_quantity", "set_customer", "set_address", "choose_shipping",
    "apply_coupon", "remove_coupon", "apply_gift_certificate", "toggle_store_credit",
    "set_message", "place_order",
)  # fmt: skip
INSTALL = ("install", "auth_url", "load_url", "uninstall", "remove_user")


def seed() -> None:
    """The store, not installed yet, with its catalogue."""
    Store.objects.create(hash=settings.STORE_HASH)
    start_numbers_at(Order, 1000)
    start_numbers_at(Customer, 100)
    catalogue.seed(settings.STORE_NAME, settings.SHOP_URL)


def start_numbers_at(model: type[Order | Customer], first: int) -> None:
    """The next id is above `first`, and above every id ever given."""
    sequence = f"{model._meta.db_table}_id_seq"
    with connection.cursor() as cursor:
        cursor.execute(
            # The sequence is a name of ours.
            f"SELECT setval(%s, GREATEST(%s, (SELECT last_value FROM {sequence})))",  # noqa: S608
            [sequence, first],
        )


def reset() -> None:
    """Forget what is kept in memory."""
    dispatcher.clear()
    quota.clear()
    stale.clear()


def world() -> dict[str, Callable[[], list[Any]]]:
    """All that BigCommerce holds: how to read each kind."""
    return {
        "stores": lambda: list(Store.objects.values("hash", "scopes", "details")),
        "bigcommerce_orders": lambda: [snapshot(order) for order in Order.objects.order_by("id")],
        "checkouts": lambda: [described(one) for one in Checkout.objects.order_by("created")],
        "carts": lambda: [str(c.id) for c in Checkout.objects.filter(cart_deleted=False)],
        "customers": lambda: [
            {"id": c.id, "email": c.email, "store_credit": f"{c.store_credit:.2f}"}
            for c in Customer.objects.order_by("id")
        ],
        "addresses": lambda: [
            catalogue_api.address_as_v3(one) for one in CustomerAddress.objects.order_by("id")
        ],
        "certificates": lambda: [
            {"code": one.code, "balance": f"{one.balance:.2f}"}
            for one in GiftCertificate.objects.order_by("code")
        ],
        "hooks": lambda: [hooks.as_v3(hook) for hook in Hook.objects.order_by("id")],
        "scripts": lambda: [scripts.as_v3(one) for one in Script.objects.order_by("created")],
        "extensions": lambda: [
            extensions.as_node(extension) for extension in AppExtension.objects.order_by("id")
        ],
    }


def described(checkout: Checkout) -> Document:
    """A checkout as the control API shows it."""
    return checkouts.as_v3(checkout) | {
        "finalised": checkout.finalised, "cart_deleted": checkout.cart_deleted,
        "store_credit_applied": checkout.store_credit_applied,
        "tokens": checkout.checkouttoken_set.count(),
    }  # fmt: skip


# --- Actions -------------------------------------------------------------------------------------


def act_as_merchant(action: str, **given: Any) -> Any:
    if action not in MERCHANT:
        raise KeyError(f"merchant has no action {action}")
    return getattr(merchant, action)(**given)


def act_as_shopper(action: str, checkout_id: str, **given: Any) -> Any:
    if action not in SHOPPER:
        raise KeyError(f"shopper has no action {action}")
    checkout = Checkout.objects.select_for_update().get(id=checkout_id)
    return shopper.as_json(getattr(shopper, action)(checkout, **given))


def make_checkout(**given: Any) -> Document:
    checkout = shopper.make_checkout(**given)
    return {
        "checkout_id": str(checkout.id), "url": f"{settings.SHOP_URL}/checkout/{checkout.id}",
        "grand_total": str(totals.of(checkout).grand.inc),
        "outstanding": str(totals.of(checkout).outstanding),
    }  # fmt: skip


def act_on_app(action: str, **given: Any) -> Any:
    if action not in INSTALL:
        raise KeyError(f"there is no {action}")
    result = getattr(install, action)(**given)
    return result if isinstance(result, dict) else {"url" if "url" in action else "status": result}


def turn_webhooks(
    action: str, *, scope: str = "", data: Document | None = None, copies: int = 1,
    share: float = 1.0, seconds: float = 1.0, on: bool = True,
) -> Document:  # fmt: skip
    """Hold, release, reorder (held: released backwards; else shuffled), duplicate, drop, emit."""
    if action == "hold":
        knobs.turn({"webhook_hold": on})
    elif action == "release":
        knobs.turn({"webhook_hold": False})
        return {"released": dispatcher.release(copies=copies)}
    elif action == "reorder":
        if knobs.knobs.webhook_hold:
            knobs.turn({"webhook_hold": False})
            return {"released": dispatcher.release(reverse=True, copies=copies)}
        knobs.turn({"webhook_shuffle": seconds if on else 0.0})
    elif action == "duplicate":
        knobs.turn({"webhook_duplicates": copies if on else 0})
    elif action == "drop":
        knobs.turn({"webhook_drop": share if on else 0.0})
        return {"dropped": dispatcher.drop() if on else 0}
    elif action == "emit":
        emit(scope, data or {})
    else:
        raise KeyError(f"webhooks cannot {action}")
    return {"pending": dispatcher.pending()}


def list_webhooks(_request: HttpRequest) -> Document:
    return {"pending": dispatcher.pending(), "events": dispatcher.listed()}


def add_row(kind: str, **given: Any) -> Document:
    """A channel, product, customer, certificate… more; amounts as text or numbers."""
    models: dict[str, Any] = {
        "channels": Channel, "products": Product, "customers": Customer, "groups": CustomerGroup,
        "addresses": CustomerAddress, "certificates": GiftCertificate,
    }  # fmt: skip
    for name in ("price", "store_credit", "tax_rate", "weight", "balance"):
        if name in given:
            given[name] = Decimal(str(given[name]))
    row, _ = models[kind].objects.update_or_create(pk=given.pop("id", None), defaults=given)
    return {"id": row.pk}


def spoil(what: str, **given: Any) -> Document:
    """What happens to registrations behind the app's back; `fields` choose the rows."""
    if what == "scripts/delete":
        return {"deleted": Script.objects.filter(**given).delete()[0]}
    if what == "extensions/delete":
        return {"deleted": AppExtension.objects.filter(**given).delete()[0]}
    if what == "hooks/delete":
        return {"deleted": Hook.objects.filter(**given).delete()[0]}
    if what == "hooks/deactivate":
        rows = Hook.objects.filter(**given)
        return {"deactivated": rows.update(is_active=False, deactivated=True)}
    if what == "token/revoke":
        return {"revoked": Store.objects.update(access_token="revoked")}
    if what == "store":
        return {"updated": Store.objects.update(details=given)}
    raise KeyError(f"there is no {what}")


# --- Paths ---------------------------------------------------------------------------------------

SPOILS = (
    "scripts/delete", "extensions/delete", "hooks/delete", "hooks/deactivate", "token/revoke",
    "store",
)  # fmt: skip
ROWS = ("channels", "products", "customers", "groups", "addresses", "certificates")

urlpatterns = [
    path("merchant/<str:action>", posting(act_as_merchant)),
    path("shopper/<str:action>", posting(act_as_shopper)),
    path("checkouts", posting(make_checkout)),
    path("webhooks", answering(list_webhooks)),
    path("webhooks/<str:action>", posting(turn_webhooks)),
    *(path(kind, posting(add_row), {"kind": kind}) for kind in ROWS),
    *(path(what, posting(spoil), {"what": what}) for what in SPOILS),
    *(path(action, posting(act_on_app, atomic=False), {"action": action}) for action in INSTALL),
]
