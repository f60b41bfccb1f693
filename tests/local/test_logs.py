"""A51 and A53: what a log line may hold, whoever writes it, and that it is one line."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from django.test import Client

from sequra_bc.logs import _mask, formatter

CANARIES = [
    "Canaria Pérez",
    "+34 612 345 678",
    "12345678Z",
    "canaria@example.com",
    "hunter2-password",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzdG9yZXMifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
    "k3vbd61x5wqz0p9aymnctf8hgjl2r4s",
    "ZGVtbzpkZW1vLXNlY3JldA==",
    "gAAAAABnQm9vdF9hX2Zlcm5ldF90b2tlbl90aGF0X2lzX2xvbmc=",
    "Q9sK3JmX0aV7bLzN4tRw8yEhUoPcDgFi1q2w3e4r5t6",
]

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What was logged since, each physical line parsed on its own."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    written: list[str] = []
    # A handler that keeps what it would write.
    handler.emit = lambda record: written.append(handler.format(record))  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for text in written for line in text.split("\n")]
    logging.getLogger().removeHandler(handler)


def assert_clean(found: list[dict[str, Any]]) -> None:
    text = json.dumps(found, ensure_ascii=False)
    assert [canary for canary in CANARIES if canary in text] == []


def test_fields_not_on_the_list_do_not_leave(lines: Lines) -> None:
    structlog.get_logger("x").info(
        "solicited", store="demo123", order=250, email=CANARIES[3], name=CANARIES[0], ms=12
    )
    (line,) = lines()

    assert_clean([line])
    assert (line["event"], line["store"], line["order"], line["ms"]) == (
        "solicited",
        "demo123",
        250,
        12,
    )
    assert line["dropped"] == 2
    assert line["level"] == "info"
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("canary", CANARIES[1:2] + CANARIES[3:4] + CANARIES[5:])
def test_texts_of_libraries_are_masked(lines: Lines, canary: str) -> None:
    logging.getLogger("some.library").warning("it went wrong with %s today", canary)

    assert_clean(lines())
    assert lines()[0]["event"] == "it went wrong with … today".replace("…", _mask(canary))


def test_addresses_lose_credentials_queries_and_tokens() -> None:
    token = "tok-123"
    assert _mask(f"GET /load?signed_payload_jwt={token} 200") == "GET /load?… 200"
    assert _mask(f"redis://:{token}@cache:6379/0 is away") == "redis://…@cache:6379/0 is away"
    assert _mask(f"at /s/{token}/orders/250") == "at /s/…/orders/250"
    assert _mask(f"/sequra/notification/{token} and /return/{token}") == (
        "/sequra/notification/… and /return/…"
    )
    assert _mask(f"Authorization: Bearer {token}-abc") == "Authorization: Bearer …"


def test_references_stay_readable() -> None:
    text = "order 250 of demo123 is 7c9e6679-7425-40de-944b-e07fc1f90ae7 at SeQura: 409"
    assert _mask(text) == text


def test_http_libraries_never_name_addresses(lines: Lines) -> None:
    for name in ("urllib3.connectionpool", "requests.sessions"):
        logging.getLogger(name).debug("GET https://api.example/%s", CANARIES[6])
        logging.getLogger(name).warning("Retrying /orders?token=%s", CANARIES[6])

    assert lines() == []


def test_an_exception_is_told_by_type_and_place(lines: Lines) -> None:
    people: dict[str, str] = {}

    def look_up() -> None:
        try:
            people[CANARIES[0]]
        except KeyError as error:
            raise ValueError(f"no order for {CANARIES[3]}, {CANARIES[4]}") from error

    try:
        look_up()
    except ValueError:
        structlog.get_logger("x").exception("sync failed", order=250)
    (line,) = lines()

    assert_clean([line])
    assert line["error"] == "ValueError < KeyError"
    assert line["where"][-1].endswith(" look_up")


def test_a_name_cannot_forge_a_line(lines: Lines) -> None:
    forged = 'Ana\n{"level": "critical", "event": "breach"}\r\x1b[31m\u2028'
    structlog.get_logger("x").info("note", reason=forged)
    logging.getLogger("some.library").warning("hello %s", forged)

    assert [line["level"] for line in lines()] == ["info", "warning"]


def test_long_texts_are_cut(lines: Lines) -> None:
    structlog.get_logger("x").info("note", reason="a b " * 1000)

    assert len(lines()[0]["reason"]) == 300


@pytest.mark.django_db
def test_a_request_is_one_line_with_its_route(lines: Lines) -> None:
    response = Client().get(f"/s/{CANARIES[9]}/nowhere?email={CANARIES[3]}")
    found = [line for line in lines() if line["logger"] in ("request", "django.request")]

    assert_clean(found)
    (line,) = found
    assert (line["event"], line["method"], line["status"]) == ("request", "GET", 404)
    assert line["request_id"] == response["X-Request-Id"]
    assert CANARIES[9] not in json.dumps(line)


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["short", "x" * 65, "with spaces in it", 'a"b\\cdefghi'])
def test_a_strange_request_id_is_replaced(given: str) -> None:
    response = Client(headers={"x-request-id": given}).get("/nowhere")

    assert len(response["X-Request-Id"]) == 32


@pytest.mark.django_db
def test_a_request_id_of_the_proxy_is_kept() -> None:
    given = "7c9e6679-7425-40de-944b-e07fc1f90ae7"

    assert Client(headers={"x-request-id": given}).get("/nowhere")["X-Request-Id"] == given
