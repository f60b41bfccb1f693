"""Every reason the code can write has its sentence, and so has every event."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from payloads.order.comparison import what_happened
from payments.confirm import _DELAYS
from transaction_log.explanations import _EVENTS, REASONS, Explanation, explain, outcome_label

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
    written |= {reason for _, reason in _DELAYS.values()} | {"order_delayed"}
    written |= {
        f"{host}_{end}" for end in HOSTED.findall(text) for host in ("sequra", "bigcommerce")
    }
    assert {"cart_changed", "sequra_unavailable", "currency_changed", "gave_up"} <= written
    assert written - set(REASONS) == set()


def test_every_event_has_its_name() -> None:
    told = set(re.findall(r'return "(\w+)"', inspect.getsource(what_happened)))
    told |= {word for place, word in recorded() if place == 1}
    told |= {event for event, _ in _DELAYS.values()}
    assert {"edit", "refund", "cancelled_by_sequra", "report"} <= told
    assert told - set(_EVENTS) == set()


def test_what_can_be_done_is_said_for_every_refusal() -> None:
    for reason, explanation in REASONS.items():
        assert str(explanation.what).endswith("."), reason
        assert str(explanation.todo).endswith(".") or not explanation.retry, reason
    assert explain("sequra_499").todo


REJECTIONS = ("sequra_409", "sequra_422", "sequra_418")
# What was sent, what the merchant reads about its rejection, and the one thing to do.
BY_EVENT = {
    "edit": ("SeQura rejected this update.", "fix it in BigCommerce, then retry."),
    "ship": ("SeQura rejected this shipment.", "We then send it again automatically."),
    "refund": ("SeQura rejected this refund.", "A refund can't be undone in BigCommerce."),
    "cancel": ("SeQura rejected this cancellation.", "Check the order in SeQura's portal."),
    "address": (
        "SeQura rejected the new address or customer details.",
        "Change the details back in BigCommerce",
    ),
    "resend": (
        "SeQura rejected the order when it was sent again, although it accepted it before.",
        "If it's closed there, dismiss this entry.",
    ),
    "report": ("SeQura rejected the delivery report.", "fix the orders it names"),
}


@pytest.mark.parametrize("reason", REJECTIONS)
@pytest.mark.parametrize("event", BY_EVENT)
def test_a_rejection_is_explained_by_what_was_sent(event: str, reason: str) -> None:
    what, todo = BY_EVENT[event]
    found = explain(reason, event)
    assert str(found.what) == what
    assert todo in str(found.todo)


@pytest.mark.parametrize("language", ["es", "fr", "it", "pt"])
def test_the_explanation_of_every_event_is_translated(language: str) -> None:
    english = {text for event in BY_EVENT for text in told(explain("sequra_409", event))}
    with translation.override(language):
        translated = {text for event in BY_EVENT for text in told(explain("sequra_409", event))}
    assert len(translated) == len(english) == 2 * len(BY_EVENT)
    assert not translated & english


def told(explanation: Explanation) -> tuple[str, str]:
    return str(explanation.what), str(explanation.todo)


def test_a_cause_of_its_own_does_not_depend_on_the_event() -> None:
    for reason in ("sequra_403", "sequra_404", "currency_changed", "sequra_unavailable"):
        assert explain(reason, "refund") == explain(reason) == REASONS[reason]


@pytest.mark.parametrize(
    ("outcome", "event", "is_open", "dismissed", "label"),
    [
        ("accepted", "ship", False, False, "Accepted"),
        ("rejected", "ship", True, False, "Rejected"),
        ("rejected", "ship", False, False, "Rejected"),
        ("rejected", "correction", True, False, "Decision needed"),
        ("rejected", "correction", False, False, "Resolved"),
        ("rejected", "decision", True, False, "Decision needed"),
        ("delayed", "edit", True, False, "Retrying"),
        ("delayed", "edit", False, False, "Resolved"),
        ("ignored", "ship", False, True, "Dismissed"),
        ("ignored", "archived", False, False, "Skipped"),
    ],
)
def test_an_outcome_is_named_by_what_it_is_about(
    outcome: str, event: str, is_open: bool, dismissed: bool, label: str
) -> None:
    assert outcome_label(outcome, event, is_open=is_open, dismissed=dismissed) == label
