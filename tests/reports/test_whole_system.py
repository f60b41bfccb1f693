"""The trigger address of the running system: web process, broker, worker, SeQura."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.stack import Stack
from tests.orders.world import World

STORE = "demo123"


@pytest.fixture
def world(stack: Stack) -> World:
    world = World(stack)
    wanted = json.dumps({"connection": {"send_statistics": True}})
    stack.manage("store_settings", STORE, "--import", "-", text=wanted)
    return world


def call(world: World) -> tuple[int, str]:
    """What SeQura's cron gets for an answer."""
    exported = json.loads(world.stack.manage("store_settings", STORE, "--export", "-"))
    address = urlsplit(exported["reports"]["trigger_url"])
    headers = {"Host": address.netloc, "User-Agent": "sequra-cron"}
    path = f"http://127.0.0.1:{world.stack.app_port}{address.path}"
    reply = world.http.get(path, headers=headers, timeout=60)
    return reply.status_code, reply.text


def reports(world: World) -> list[dict[str, Any]]:
    return [one["body"] for one in world.sandbox.held("sequra_delivery_reports")]


def line_of(lines: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """The order among those of a report; other tests buy and ship in the same shop."""
    numbers = [one.get("merchant_reference", {}).get("order_ref_1") for one in lines]
    return lines[numbers.index(str(number))] if str(number) in numbers else {}


def report_of(world: World, number: int) -> dict[str, Any]:
    """The report that tells of the order, or nothing."""
    return next((one for one in reports(world) if line_of(one["orders"], number)), {})


def test_a_call_sends_the_report_and_a_failed_one_is_said(world: World) -> None:
    number = world.buy()
    world.does("ship", number)
    world.wait(lambda: world.totals(number)[0] == 0, "SeQura knows of the shipment")

    assert call(world) == (200, "ok")
    report = world.wait(lambda: report_of(world, number), "the report")

    order = line_of(report["orders"], number)
    assert order["sent_at"]
    assert order["cart"]["order_total_with_tax"] == world.totals(number)[1]
    assert line_of(report["statistics"]["orders"], number)

    world.sandbox.fault("delivery_reports", method="POST", status=503, times=99)
    sent = len(reports(world))
    # At once, when the report of another country was still on its way.
    world.wait(lambda: call(world) == (599, "ko"), "the failure is said")
    world.sandbox.clear_faults()
    world.wait(lambda: call(world) == (200, "ok"), "it works again")
    world.wait(lambda: len(reports(world)) > sent, "a report is sent again")
