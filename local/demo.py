"""`make demo`: start everything, and let a shopper in Spain buy with SeQura, step by step.

Ctrl-C ends it. Data and logs are in .local/demo (or in the folder given as an argument); delete it
to start again.
"""

import json
import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg2
import requests

from local.merchant import Merchant
from local.processes import StartFailed, free_port, take
from local.sandbox_control import ControlRefused, SandboxControl
from local.servers import LOCAL
from local.shopper import PERSON, PHONE, Shopper, Stuck
from local.stack import Stack
from payloads.money import euros, to_cents

STORE = "demo123"
ACCOUNT = {"username": "demo", "password": "demo-secret"}  # at SeQura, and in the admin
CONNECTION = {
    "connection": {
        "environment": "sandbox",
        "deployments": {"sequra": ACCOUNT},
        "send_statistics": False,
    }
}
REGISTERED = 30  # seconds until webhooks, script and panel are there


class Ended(Exception):
    """The demo was interrupted, or its parent process has ended."""


def show(step: str, detail: Any = "") -> None:
    print(f"  {step:<28} {detail}", flush=True)


def show_addresses(stack: Stack) -> None:
    """Print the URLs that already answer."""
    print("\nSeQura for BigCommerce is running:\n")
    show("Shop", f"{stack.origin('shop')}/")
    show("Control panel", f"{stack.origin('panel')}/")
    show("SeQura's portal", f"{stack.origin('sequra')}/portal")
    show("The app", f"{stack.app_url}/health/ready")
    show("Logs", stack.home / "logs")


def install(stack: Stack, sandbox: SandboxControl) -> None:
    """Install the app, connect SeQura, wait for the registrations, as a merchant does."""
    installed = sandbox.control("POST", "install", {})
    show("Installed in BigCommerce", f"store {STORE}, /auth answered {installed['auth']}")
    stack.manage("store_settings", STORE, "--import", "-", text=json.dumps(CONNECTION))
    show("Connected to SeQura", "account demo, sandbox")
    deadline = time.monotonic() + REGISTERED
    while not registered(world := sandbox.world()):
        if time.monotonic() > deadline:
            raise Stuck(f"no webhooks and no script after {REGISTERED} s")
        time.sleep(0.2)
    counted = f"{len(world['hooks'])} webhooks, {len(world['scripts'])} script"
    show("Registered", f"{counted}, {len(world['extensions'])} order panel")


def uninstall_second_store(stack: Stack) -> None:
    """Uninstall what an earlier start installed there: onboarding begins at its beginning."""
    second = SandboxControl(stack.second_port, stack.app_port)
    (store,) = second.held("stores")
    if store["scopes"]:
        second.control("POST", "uninstall", {})
    show("A second store", f"{store['hash']}, where SeQura is not installed")


def fill_the_month(stack: Stack) -> None:
    """Fill the days before today once: later starts only look whether they are there."""
    if not has_operator(stack.urls["DATABASE_URL"]):
        work = f"seed({STORE!r}); add_operator(**{ACCOUNT!r})"
        stack.manage(
            "shell", "-v0", "-c", f"from local.demo_days import add_operator, seed; {work}"
        )
    show("The days before today", "invented: charts of the overview and of the sales page")


def has_operator(database: str) -> bool:
    """Return whether `add_operator`, the last step, was done: a query costs no start of Django."""
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM auth_user WHERE username = %s", [ACCOUNT["username"]])
        return cursor.fetchone() is not None


def registered(world: dict[str, Any]) -> bool:
    return bool(world["hooks"] and world["scripts"] and world["extensions"])


def buy(shopper: Shopper) -> dict[str, Any]:
    """Make the purchase step by step. Return the final progress of the waiting page."""
    shopper.fill_cart(*shopper.products()[:2])
    page = shopper.go_to_checkout()
    show("Cart and address", f"checkout {shopper.checkout_id}")
    show("Script on the payment step", shopper.load_script(page))
    methods = shopper.payment_methods()
    for method in methods:
        show("SeQura offers", f"{method['title']} {method.get('cost_description') or ''}".strip())
    form = shopper.open_form(methods[0])
    show("Identification form", methods[0]["title"])
    shopper.identify(form)
    show("Shopper identified", "SeQura approves and notifies the app")
    outcome = shopper.wait_for_order()
    show("The app says", outcome["status"])
    if outcome["status"] != "confirmed":
        raise Stuck(f"the purchase ended as {outcome}")
    show("Order number", outcome["order"])
    thanks = shopper.ask("GET", outcome["redirect"])
    show("Order confirmation", f"{outcome['redirect'].split('?')[0]} answers {thanks.status_code}")
    return outcome


def show_both_sides(sandbox: SandboxControl, number: int) -> None:
    """Print what both systems hold of the order."""
    world = sandbox.world()
    (order,) = (one["order"] for one in world["bigcommerce_orders"] if one["order"]["id"] == number)
    (sequra,) = (one for one in world["sequra_orders"] if one["order_ref_1"] == str(number))
    show(
        "BigCommerce holds",
        f"order {number}: {order['status']}, {euros(to_cents(order['total_inc_tax']))}",
    )
    show("", f"paid with {order['payment_method']}, reference {order['payment_provider_id']}")
    cart = sequra["unshipped_cart"]
    show("SeQura holds", f"order {sequra['order_ref_1']}: {sequra['state']}, {sequra['uuid']}")
    show("", f"{len(cart['items'])} lines, {euros(cart['order_total_with_tax'])} not shipped yet")


def ship_refund_and_edit(merchant: Merchant, app_port: int) -> None:
    """Ship, refund and edit the order; the transaction log shows what SeQura rejects."""
    line = merchant.order()["products"][0]
    items = [{"order_product_id": line["id"], "quantity": 1}]
    show_change(merchant, "Ships one piece", "ship", items=items, tracking_number="SEUR0001")
    show_change(merchant, "Refunds that piece", "refund", items=items)
    merchant.does("edit_order", lines=[{"name": "Engraving", "price": "500.00", "quantity": 1}])
    show("Adds 500 € to the order", "more than SeQura approved")
    show("The transaction log says", merchant.rejection_message(app_port))


def show_change(merchant: Merchant, title: str, action: str, **details: Any) -> None:
    """Perform one action of the merchant, and print what SeQura holds a moment later."""
    before = merchant.totals()
    merchant.does(action, **details)
    (unshipped, shipped), seconds = merchant.wait_for_change(before)
    held = f"{euros(shipped)} shipped, {euros(unshipped)} not shipped"
    show(title, f"SeQura holds {held} after {seconds:.1f} s")


def show_the_rest(stack: Stack) -> None:
    """Print where to click, who to be there, and what to try first."""
    shop, panel = stack.origin("shop"), stack.origin("panel")
    born, nin = PERSON["date_of_birth"], PERSON["nin"]
    print("\nWhere to click:\n")
    show("Shop", f"{shop}/")
    show("Control panel", f"{panel}/ (logged in as owner@mardefondo.example)")
    show("The app in the panel", f"{panel}/manage/app")
    show("SeQura's portal", f"{stack.origin('sequra')}/portal (no login)")
    show("Operators' admin", f"{stack.app_url}/admin/ ({', '.join(ACCOUNT.values())})")
    print("\nWho to be on SeQura's form:\n")
    show("Approved", f"Ana García, {PHONE}, {born}, {nin}")
    show("Reviewed, then approved", "given names: Review Test Approve")
    show("Reviewed, then rejected", "given names: Review Test Cancel")
    show("Declined", "given names: Test Decline")
    show("SMS code", f"the phone's last 5 digits: {PHONE[-5:]}")
    second, account = stack.second_origin("panel"), " / ".join(ACCOUNT.values())
    print("\nFrom the installation on, in a second store:\n")
    show("Install SeQura", f"{second}/manage/apps → Install")
    show("Connect it", f"Apps → Launch; SeQura's account is {account}")
    show("Its shop", f"{stack.second_origin('shop')}/")
    print("\nFirst steps:\n")
    show("1. Buy in the shop", "choose SeQura at the payment step, be one of the four")
    show("2. Ship or refund it", f"{panel}/manage/orders → Action → SeQura order")
    show("3. Read the overview", f"{panel}/manage/app → Sales in detail, Transaction log")


def end_when_asked() -> None:
    """Turn Ctrl-C, SIGTERM, SIGHUP and the end of the parent process (make) into Ended."""
    parent = os.getppid()

    def end(number: int, _: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(one, signal.SIG_IGN)  # once is enough: stopping takes a moment
        raise Ended(signal.Signals(number).name)

    def look(number: int, frame: FrameType | None) -> None:
        if os.getppid() != parent:
            end(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


def preferred(port: int) -> int:
    """Return the well-known port, or a free one if it is taken."""
    return port if take(port) else free_port()


def run(folder: Path) -> None:
    started = time.monotonic()
    app, sandbox_port, second = preferred(8000), preferred(8100), preferred(8101)
    # Addresses are part of what both systems remember: other ports, other databases.
    name = f"demo_{app}_{sandbox_port}_{second}"
    with Stack(
        folder, name=name, app_port=app, sandbox_port=sandbox_port, second_port=second
    ) as stack:
        sandbox = SandboxControl(stack.sandbox_port, stack.app_port)
        show_addresses(stack)
        print(f"\nready after {time.monotonic() - started:.1f} s. Now somebody buys:\n", flush=True)
        install(stack, sandbox)
        uninstall_second_store(stack)
        fill_the_month(stack)
        outcome = buy(Shopper(stack.origin("shop")))
        number = int(outcome["order"])
        show_both_sides(sandbox, number)
        print("\nNow the merchant works on the order in BigCommerce:\n", flush=True)
        ship_refund_and_edit(Merchant(sandbox, number), stack.app_port)
        show_the_rest(stack)
        print("\nEverything stays up until Ctrl-C.", flush=True)
        while True:
            signal.pause()


def main() -> int:
    end_when_asked()
    try:
        run(Path(sys.argv[1]) if len(sys.argv) > 1 else LOCAL / "demo")
    except Ended as end:
        print(f"\n{end}: stopped.", flush=True)
    except (StartFailed, Stuck, ControlRefused, requests.RequestException) as error:
        print(f"\n{error}\n\nThe demo failed.", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
