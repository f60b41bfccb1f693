"""What the queue's statements touch does not grow with the number of stores.

`make growth` does it with ten million orders; the suite with a hundred thousand.
"""

import os
import signal

import pytest

from local.bench.growth import FEW, MANY, MOST, ORDERS, WORK, touched

EACH = int(os.environ.get("ORDERS_OF_A_STORE", ORDERS))
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("growth")]


def test_buffers_do_not_grow_with_the_stores(transactional_db: None) -> None:
    if EACH > ORDERS:
        signal.alarm(0)  # seeding takes longer than a test may
    few, many = touched(FEW, EACH), touched(MANY, EACH)
    grown = {name: (few[name], many[name]) for name in WORK if many[name] > few[name] * MOST}
    assert grown == {}, f"buffers at {FEW} and at {MANY} stores"
