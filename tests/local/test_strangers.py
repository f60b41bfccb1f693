"""What a stranger may ask of the public address, and what his input costs."""

import json
import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import quote

import jwt
import pytest
import requests
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import QueryDict
from django.test import Client
from pytest_django import Settings

from bigcommerce.signatures import InvalidSignedPayload, _decoded, read_signed_payload
from orders.sync.staff_notes import reference_in
from orders.webhooks import Refused, _read_event, _Receiver
from panel.export import _harmless as harmless
from payloads.checkout.shopper import known_moment, language_code, sequra_address
from payloads.codes import device_code, mobile_phone, payment_code
from payments.form import NoForm, _check_sources
from sequra_bc import logs
from sequra_bc.logs import _mask, _tidy, formatter
from sequra_bc.middleware import _cleaned as clean_query
from sequra_bc.middleware import _client_address
from stores.rate_limit import _network_of
from stores.storefronts import origin_of
from transport.reading import clean_text, messages_of, read_json

# Texts on which a rule without an anchor begins anew at every character.
ENDLESS = ("-a", "a", "1 ", "1", "a.", "aaaaaaaa.", "a@", "://", "token  ", "?", "a+", "a=", " ")


def least_cpu_seconds(work: Callable[[], object], times: int = 9) -> float:
    def once() -> float:
        began = time.thread_time()
        work()
        return time.thread_time() - began

    return min(once() for _ in range(times))


def unlimited(text: str) -> None:
    for pattern, replacement in logs._RULES:
        pattern.sub(replacement, text)


@pytest.mark.parametrize("unit", ENDLESS)
@pytest.mark.slow
def test_masking_costs_no_more_than_the_length(unit: str) -> None:
    """Four times the length: four times the work, where a quadratic rule needs sixteen times."""
    few, many = unit * (4_000 // len(unit)), unit * (16_000 // len(unit))
    assert (
        least_cpu_seconds(lambda: unlimited(many))
        < 9 * least_cpu_seconds(lambda: unlimited(few)) + 2e-4
    )


def ignoring(work: Callable[..., object], *no: type[Exception]) -> Callable[[str], object]:
    def run(text: str) -> None:
        with suppress(ValueError, RecursionError, *no):
            work(text)

    return run


def payload_of(part: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        token = {"url": text} if part == "signed" else {}
        given = jwt.encode(token, "s" * 32) if token else text
        return read_signed_payload(given, client_id="c", client_secret="s" * 32)

    return ignoring(read, InvalidSignedPayload)


RECEIVER = _Receiver(1, "abc", b"s", "s", uninstalled=False)
WEBHOOK = '{"producer":"stores/abc","scope":"store/order/updated","data":{"id":%s}}'
ADDRESS = ("first_name", "last_name", "address1", "postal_code", "phone", "country_code")
JSON = ("[", '{"a":', "1", "-", '"', "\\", "\\u0000", "\\ud800", "1e", "[1,", '{"a":1,', " ", "\0")
TEXTS = ("a", " ", "\0", "\ud800", "é", "\n", "a-", "-", "1", "(", "<", "@", "9" * 4_000 + " ")
# Every parser and mask of what somebody else writes, and what repeats to its harm.
READERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "mask": (_mask, ENDLESS),
    "where": (lambda text: _tidy({"where": text, "more": [text]}), ENDLESS),
    "clean text": (clean_text, TEXTS),
    "clean query": (
        lambda text: clean_query(QueryDict(f"a={quote(text, errors='ignore')}")),
        TEXTS,
    ),
    "JSON": (ignoring(read_json), JSON),
    "JSON text": (ignoring(lambda text: read_json(json.dumps({text: [text]}))), TEXTS),
    "JSON with a depth": (ignoring(lambda text: read_json(text, 32)), JSON),
    "webhook": (ignoring(lambda text: _read_event(text.encode(), RECEIVER), Refused), JSON),
    "webhook's data": (
        ignoring(lambda text: _read_event((WEBHOOK % text).encode(), RECEIVER), Refused),
        JSON,
    ),
    "webhook's signatures": (lambda text: list(_decoded(text)), ("v1,YQ== ", "v1,", ",", "=", " ")),
    "signed payload": (payload_of("text"), (".", "a", "a.", "e30.", "=", "W1tb")),
    "signed claims": (payload_of("signed"), TEXTS),
    "refusal": (
        lambda text: messages_of(text.encode(errors="ignore")),
        ("<title", "<title>", "<title>a</", "<", "<a", ">", '["a"', *JSON, *TEXTS),
    ),
    "form": (
        ignoring(lambda text: _check_sources(text, set()), NoForm),
        (
            "<",
            "<a ",
            "<a b='",
            "<!--",
            "<!",
            "</",
            "&",
            "<script>",
            "<a b=",
            "<![CDATA[",
            "<?",
            "a",
        ),
    ),
    "address": (lambda text: sequra_address(dict.fromkeys(ADDRESS, text)), TEXTS),
    "phone": (
        lambda text: mobile_phone(text, "ES"),
        ("6", "+", "+34 ", "x", "(", ";ext=", "-", " "),
    ),
    "locale": (lambda text: language_code("es" + text, "ES"), ("-", "_es", "-e", "a", " ")),
    "moment": (ignoring(known_moment), ("1", " ", "(", "Mon, ", ":", "-", "2026-01-01")),
    "device": (
        lambda text: device_code(text + "Mobile"),
        ("Android", "Android\n", "iPhon", "Mobi "),
    ),
    "way of paying": (payment_code, ("cash on ", "contra ", "a", "car")),
    "staff notes": (reference_in, ("[SeQura]", "[/SeQura]", "[SeQura", "[", "a", "-1234")),
    "origin": (ignoring(origin_of), ("a", "a.", "://", "https://", "@", "[", "é", "é.", ":")),
    "client": (lambda text: _client_address(text, "", 1), ("1,", ",", " ", "[", "1:", ":")),
    "cell": (
        harmless,
        (
            "=",
            "\t",
            "\n",
            ";",
            "; ",
            "\r\n",
            "|",
            " ",
            '"',
            "'",
            '; "',
            ";a",
            "\0",
            "a",
            "；",
            "=;",
        ),
    ),
}
CASES = [
    pytest.param(read, unit, id=f"{name} of {unit[:12]!a}")
    for name, (read, units) in READERS.items()
    for unit in units
]
WORTH_MEASURING = 0.01  # seconds of the processor: what is shorter is mostly the clock
# Characters. Nobody sends more text in one piece, which would measure the processor's caches.
LONGEST = 1 << 17


@pytest.mark.parametrize(("read", "unit"), CASES)
@pytest.mark.slow
def test_reading_costs_no_more_than_the_length(read: Callable[[str], object], unit: str) -> None:
    """Four times the length: four times the work, where a quadratic reader needs sixteen times."""
    length = 1 << 9
    while 4 * length <= LONGEST:
        few, many = (unit * (size // len(unit) + 1) for size in (length, 4 * length))
        if least_cpu_seconds(partial(read, many), times=1) > WORTH_MEASURING:
            assert least_cpu_seconds(partial(read, many)) < 9 * least_cpu_seconds(
                partial(read, few)
            )
            return
        length *= 2


@pytest.mark.parametrize("unit", ENDLESS)
def test_no_more_than_the_beginning_of_a_text_is_masked(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Rule:
        def sub(self, _: str, text: str) -> str:
            seen.append(len(text))
            return text

    monkeypatch.setattr(logs, "_RULES", [(Rule(), "")])
    _mask(unit * 60_000)
    assert max(seen) <= logs._READ


@pytest.mark.parametrize(
    "canary",
    ["ana@canary.example", "+34 600 600 601", "Bearer abcdef0123456789", "k" * 20 + "1" * 20],
)
def test_a_cut_leaves_no_half_of_a_secret(canary: str) -> None:
    for before in range(logs._READ - len(canary) - 3, logs._READ + 3):
        # What is masked in front makes room, so that the end of what was read stays.
        text = ("a@b.example " * before)[:before] + " " + canary + " and so on"
        found = _mask(text)
        assert not re.search(r"ana@|600|abcdef|kkk", found), (before, found)


@pytest.mark.django_db
def test_headers_of_a_page_keep_others_out() -> None:
    answer = Client().get("/load")
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]


def test_a_file_may_be_embedded_by_a_shop(live_app: str) -> None:
    name = staticfiles_storage.url("storefront/sequra-checkout.js")
    answer = requests.get(live_app + name, timeout=60)
    assert (answer.status_code, answer.headers["Cross-Origin-Resource-Policy"]) == (
        200,
        "cross-origin",
    )


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-forwarded-proto", "via"])
def test_metrics_do_not_exist_behind_the_proxy(header: str, settings: Settings) -> None:
    client = Client(headers={header: "203.0.113.5"})
    assert client.get("/metrics").status_code == 404
    settings.METRICS_PUBLIC = True
    assert client.get("/metrics").status_code == 200


@pytest.mark.django_db
def test_the_admin_does_not_exist_unless_switched_on(settings: Settings) -> None:
    get_user_model().objects.create_superuser("op", "op@example.com", "correct horse battery")
    client = Client()
    client.login(username="op", password="correct horse battery")
    paths = ("/admin/", "/admin/login/", "/admin/stores/store/", "/admin/logout/", "/admin/nothing")
    assert [client.get(path).status_code for path in paths][:3] == [200, 302, 200]
    settings.ADMIN_ENABLED = False
    assert [client.get(path).status_code for path in paths] == [404] * len(paths)


@pytest.mark.django_db
@pytest.mark.usefixtures("one_window")
def test_the_operators_password_is_guessed_ten_times() -> None:
    get_user_model().objects.create_superuser("op", "op@example.com", "correct horse battery")

    def guess(number: int, address: str, name: str) -> int:
        fields = {"username": name, "password": f"guess {number}"}
        return Client(REMOTE_ADDR=address).post("/admin/login/", fields).status_code

    # One name from many addresses, then many names from one household.
    assert [guess(n, f"198.51.100.{n}", "op") for n in range(11)] == [200] * 10 + [429]
    found = [guess(n, f"2001:db8:1:2::{n}", f"name {n}") for n in range(11)]
    assert found == [200] * 10 + [429]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::2", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::1", "::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_household_counts_once(address: str, network: str) -> None:
    assert _network_of(address) == network


def test_where_a_stranger_wrote_it_is_masked() -> None:
    said = {"event": "boom", "where": "ana@canary.example", "message": "TypeError: é"}
    record = logging.LogRecord("x", logging.INFO, "", 0, said, (), None)
    line = formatter().format(record)
    assert "canary" not in line
    assert "TypeError" in line
