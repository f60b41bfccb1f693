"""What SeQura tells afterwards, and SeQura's two working hours."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from payments.events import _CANCEL_WITHIN, _working_time
from payments.models import Solicitation
from tests.payments.conftest import MakeSolicitation
from transaction_log import record
from transaction_log.models import Entry


@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [
        # Monday 23 November 2026; Madrid is one hour ahead of UTC in winter.
        (datetime(2026, 11, 23, 9, 0, tzinfo=UTC), datetime(2026, 11, 23, 9, 30, tzinfo=UTC), 30),
        # From Friday 16:30 in Madrid to Monday 9:15: half an hour and a quarter.
        (datetime(2026, 11, 20, 15, 30, tzinfo=UTC), datetime(2026, 11, 23, 8, 15, tzinfo=UTC), 45),
        # A weekend has no working time at all.
        (datetime(2026, 11, 21, 9, 0, tzinfo=UTC), datetime(2026, 11, 22, 20, 0, tzinfo=UTC), 0),
        # Before nine it has not begun.
        (datetime(2026, 11, 23, 5, 0, tzinfo=UTC), datetime(2026, 11, 23, 7, 59, tzinfo=UTC), 0),
    ],
)
def test_working_time_counts_madrid_office_hours(
    since: datetime, until: datetime, minutes: int
) -> None:
    assert _working_time(since, until) == timedelta(minutes=minutes)


def test_working_time_stops_counting_when_it_is_too_late_anyway() -> None:
    years = _working_time(datetime(2016, 1, 4, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC))
    assert years > _CANCEL_WITHIN


def send(live_server: LiveServer, solicitation: Solicitation, **body: str) -> requests.Response:
    form = {
        "order_ref": str(solicitation.reference),
        "order_ref_2": '""',
        "m_signature": solicitation.signature,
    }
    address = f"{live_server.url}/sequra/event/{solicitation.token}"
    return requests.post(address, data=form | body, timeout=60)


@pytest.mark.parametrize("event", ["return", "identification_action", "", "cancelled; drop"])
def test_unknown_event_is_answered_501_with_json(
    live_server: LiveServer, make_solicitation: MakeSolicitation, event: str
) -> None:
    answer = send(live_server, make_solicitation(), event=event)

    assert (answer.status_code, answer.json()) == (501, {"error": f"Unknown event '{event}'"})


@pytest.mark.parametrize(
    ("told", "kept"),
    [("low_risk", "low_risk"), ("high_risk", "high_risk"), ("<script>", "")],
)
def test_risk_assessment_is_kept(
    live_server: LiveServer, make_solicitation: MakeSolicitation, told: str, kept: str
) -> None:
    solicitation = make_solicitation()

    answer = send(live_server, solicitation, event="risk_assessment", risk_level=told)

    solicitation.refresh_from_db()
    assert (answer.status_code, answer.text) == (200, "Message received!")
    assert solicitation.risk_level == kept


def test_event_with_the_notification_s_parameter_names_is_not_authentic(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation = make_solicitation()

    answer = send(live_server, solicitation, event="cancelled", m_signature="x", signature="x")

    solicitation.refresh_from_db()
    assert (answer.status_code, solicitation.state) == (404, "")


def test_cancelled_before_any_order_refuses_the_solicitation(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation = make_solicitation()

    answer = send(live_server, solicitation, event="cancelled")

    solicitation.refresh_from_db()
    assert (answer.status_code, answer.content) == (200, b"")
    assert (solicitation.phase, solicitation.refusal) == ("refused", "cancelled_by_sequra")


def test_a_risk_assessment_is_logged_once_with_its_time(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation = make_solicitation()
    for level in ("under_evaluation", "high_risk", "high_risk"):
        send(live_server, solicitation, event="risk_assessment", risk_level=level)

    entries = Entry.objects.filter(event="risk_assessment").order_by("id")
    assert [entry.reason for entry in entries] == ["under_evaluation", "high_risk"]


def test_an_unknown_event_is_logged_and_a_return_waits_for_a_person(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation = make_solicitation()
    answers = [
        send(live_server, solicitation, event=name).status_code
        for name in ("teleported", "teleported", "return", "return")
    ]

    assert answers == [501] * 4
    unknown, returned = Entry.objects.order_by("id")
    assert (unknown.outcome, unknown.words, unknown.attempts) == ("ignored", "teleported", 2)
    assert (returned.event, returned.outcome, returned.is_open) == ("return", "rejected", True)
    assert returned.attempts == 2


def test_a_refund_that_sequra_accepts_settles_a_reported_return(
    live_server: LiveServer, make_solicitation: MakeSolicitation
) -> None:
    solicitation = make_solicitation()
    send(live_server, solicitation, event="return")
    record.accepted(solicitation.subject, "edit")
    assert Entry.objects.get(event="return").is_open
    record.accepted(solicitation.subject, "refund")
    assert not Entry.objects.get(event="return").is_open
