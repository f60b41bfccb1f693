"""What the queue's statements touch does not grow with the number of stores."""

import pytest

from local.bench.growth import FEW, MANY, MOST, WORK, touched

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("growth")]


def test_buffers_do_not_grow_with_the_stores(transactional_db: None) -> None:
    few, many = touched(FEW), touched(MANY)
    grown = {name: (few[name], many[name]) for name in WORK if many[name] > few[name] * MOST}
    assert grown == {}, f"buffers at {FEW} and at {MANY} stores"
