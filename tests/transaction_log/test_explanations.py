"""Every reason the code can write has its sentence, and so has every event."""

import re
from pathlib import Path

from transaction_log.explanations import EVENTS, REASONS, explain

ROOT = Path(__file__).resolve().parents[2]
REASON = re.compile(r'(?:Refused|Held)\("(\w+)"|reason="(\w+)"|record\.\w+\([^,]+, "\w+", "(\w+)"')
# Reasons that are written together with a host: sequra_unavailable, bigcommerce_unauthorised ...
HOSTED = re.compile(r'f"\{host\}_(\w+)"')


def sources(*names: str) -> str:
    return "\n".join((ROOT / name).read_text() for name in names)


def everything() -> str:
    folders = [ROOT / "orders", ROOT / "payments"]
    return "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))


def test_every_reason_has_its_sentence() -> None:
    text = everything()
    written = {name for found in REASON.findall(text) for name in found if name}
    written |= {
        f"{host}_{end}" for end in HOSTED.findall(text) for host in ("sequra", "bigcommerce")
    }
    assert {"cart_changed", "sequra_unavailable", "currency_changed"} <= written
    assert written - set(REASONS) == set()


def test_every_event_has_its_name() -> None:
    told = set(re.findall(r'return "(\w+)"', sources("orders/difference.py")))
    told |= set(re.findall(r'record\.\w+\(\s*[\w.]+,\s*"(\w+)"', everything()))
    assert {"edit", "refund", "cancelled_by_sequra"} <= told
    assert told - set(EVENTS) == set()


def test_what_can_be_done_is_said_for_every_refusal() -> None:
    for reason, explanation in REASONS.items():
        assert str(explanation.what).endswith("."), reason
        assert str(explanation.todo).endswith(".") or not explanation.retry, reason
    assert explain("sequra_499").todo
