"""Every reason the code can write has its sentence, and so has every event."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from payments.confirm import DELAYS
from transaction_log.explanations import EVENTS, REASONS, explain

ROOT = Path(__file__).resolve().parents[2]
REASON = re.compile(r'(?:Refused|Held)\("(\w+)"|reason="(\w+)"|event, reason = "\w+", "(\w+)"')
# Reasons that are written together with a host: sequra_unavailable, bigcommerce_unauthorised ...
HOSTED = re.compile(r'f"\{host\}_(\w+)"')
WRITERS = {"accepted", "rejected", "delayed", "ignored"}


def sources() -> list[str]:
    folders = [ROOT / "orders", ROOT / "payments", ROOT / "payloads"]
    return [path.read_text() for folder in folders for path in folder.rglob("*.py")]


def recorded() -> Iterator[tuple[int, str]]:
    """What `record.rejected(subject, "event", "reason", …)` says literally, and at which place."""
    for text in sources():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func.value) == "record" and node.func.attr in WRITERS:
                for place, given in enumerate(node.args):
                    if isinstance(given, ast.Constant):
                        yield place, str(given.value)


def test_every_reason_has_its_sentence() -> None:
    text = "\n".join(sources())
    written = {name for found in REASON.findall(text) for name in found if name}
    written |= {word for place, word in recorded() if place == 2}
    written |= {reason for _, reason in DELAYS.values()} | {"order_delayed"}
    written |= {
        f"{host}_{end}" for end in HOSTED.findall(text) for host in ("sequra", "bigcommerce")
    }
    assert {"cart_changed", "sequra_unavailable", "currency_changed", "gave_up"} <= written
    assert written - set(REASONS) == set()


def test_every_event_has_its_name() -> None:
    told = set(re.findall(r'return "(\w+)"', (ROOT / "payloads/order/difference.py").read_text()))
    told |= {word for place, word in recorded() if place == 1}
    told |= {event for event, _ in DELAYS.values()}
    assert {"edit", "refund", "cancelled_by_sequra", "report"} <= told
    assert told - set(EVENTS) == set()


def test_what_can_be_done_is_said_for_every_refusal() -> None:
    for reason, explanation in REASONS.items():
        assert str(explanation.what).endswith("."), reason
        assert str(explanation.todo).endswith(".") or not explanation.retry, reason
    assert explain("sequra_499").todo
