"""Forged, replayed and polluted notifications (abuse cases A41 to A44)."""

import uuid
from typing import Any

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from payments.models import Solicitation
from tests.payments.conftest import MakeSolicitation


def send(
    live_server: LiveServer, solicitation: Solicitation, query: str = "", **changed: Any
) -> requests.Response:
    body = {
        "order_ref": str(solicitation.reference),
        "order_ref_1": "",
        "product_code": "pp3",
        "sq_state": "approved",
        "approved_since": "0",
        "signature": solicitation.signature,
    } | changed
    sent = {name: value for name, value in body.items() if value is not None}
    address = f"{live_server.url}/sequra/notification/{solicitation.token}{query}"
    return requests.post(address, data=sent, timeout=60)


def untouched(solicitation: Solicitation) -> bool:
    solicitation.refresh_from_db()
    return (solicitation.state, solicitation.phase, solicitation.notified_at) == (
        "",
        "solicited",
        None,
    )


@pytest.mark.parametrize(
    "forged",
    [
        {"signature": None},
        {"signature": ""},
        {"signature": "0" * 43},
        {"signature": "ñ"},
        {"signature": None, "signature[]": "x"},
        {"order_ref": None},
        {"order_ref": str(uuid.uuid4())},
        {"order_ref": "'; drop table"},
    ],
)
def test_forged_notification_finds_nothing_and_changes_nothing(
    live_server: LiveServer, make_solicitation: MakeSolicitation, forged: dict[str, str]
) -> None:
    solicitation = make_solicitation()

    answer = send(live_server, solicitation, **forged)

    assert (answer.status_code, answer.content) == (404, b"")
    assert untouched(solicitation)


def test_signature_of_another_solicitation_is_not_enough(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation, other = make_solicitation(), make_solicitation()

    answer = send(live_server, solicitation, signature=other.signature)

    assert answer.status_code == 404
    assert untouched(solicitation)


def test_unknown_path_token_is_404(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation = make_solicitation()
    solicitation.token = "another"

    assert send(live_server, solicitation).status_code == 404


@pytest.mark.parametrize(
    "polluted",
    [
        {"order_ref": ["a", "b"]},
        {"sq_state": ["approved", "needs_review"]},
        {"signature": ["a", "a"]},
    ],
)
def test_a_parameter_that_comes_twice_is_400(
    live_server: LiveServer, make_solicitation: MakeSolicitation, polluted: dict[str, Any]
) -> None:
    solicitation = make_solicitation()

    assert send(live_server, solicitation, **polluted).status_code == 400
    assert untouched(solicitation)


def test_parameters_in_the_address_are_400(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation = make_solicitation()

    assert send(live_server, solicitation, query="?sq_state=approved").status_code == 400
    assert untouched(solicitation)


@pytest.mark.parametrize("state", ["foo", "", "confirmed", "APPROVED"])
def test_unknown_state_is_400(
    live_server: LiveServer, make_solicitation: MakeSolicitation, state: str
) -> None:
    solicitation = make_solicitation()

    assert send(live_server, solicitation, sq_state=state).status_code == 400
    assert untouched(solicitation)


def test_replay_after_completion_is_200_and_calls_nobody(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    """The store's BigCommerce and SeQura addresses lead nowhere: any call would show."""
    done = make_solicitation(
        state="approved",
        phase="done",
        accepted_state="confirmed",
        shown_state="confirmed",
        order_id=100,
    )

    answers = {send(live_server, done).status_code for _ in range(20)}

    done.refresh_from_db()
    assert (answers, done.attempts, done.last_error) == ({200}, 0, "")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_405(
    live_server: LiveServer, make_solicitation: MakeSolicitation, method: str
) -> None:
    address = f"{live_server.url}/sequra/notification/{make_solicitation().token}"

    assert requests.request(method, address, timeout=60).status_code == 405


def test_late_notification_never_moves_a_cancelled_payment(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    cancelled = make_solicitation(
        state="cancelled",
        phase="done",
        accepted_state="on_hold",
        shown_state="cancelled",
        order_id=100,
    )

    answer = send(live_server, cancelled)

    cancelled.refresh_from_db()
    assert (answer.status_code, cancelled.state) == (410, "cancelled")
