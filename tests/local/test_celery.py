"""A wake-up never holds up a web request, and no message can smuggle anything into a worker."""

import base64
import json
import pickle
import queue
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import redis
from structlog.contextvars import bind_contextvars, get_contextvars, unbind_contextvars

from local.processes import environment, free_port
from local.servers import ROOT
from local.stack import Stack
from orders.queue import wakeup
from sequra_bc import celery
from sequra_bc.celery import FAST, PERIODIC, SLOW, WAKE_UPS, _Slots, app

PUBLISH = """
import socket
import time
import django
django.setup()
from sequra_bc.celery import app
waits = []
def recorded(owner, name):
    original = getattr(owner, name)
    def wait(*arguments):
        waits.append(arguments[-1])
        return original(*arguments)
    setattr(owner, name, wait)
recorded(socket.socket, "settimeout")
recorded(time, "sleep")
try:
    app.send_task("nothing")
except Exception as error:
    print(type(error).__name__, sum(waits))
"""


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts connections and never says a word, as a paused Redis."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


def longest_wait_to_publish(port: int) -> float:
    """The timeouts and pauses of one attempt together, in seconds; a busy machine adds its own."""
    published = subprocess.run(
        [sys.executable, "-c", PUBLISH],
        cwd=ROOT,
        env=environment(REDIS_URL=f"redis://127.0.0.1:{port}/0"),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    name, seconds = published.stdout.split()[-2:]
    assert name == "OperationalError"
    return float(seconds)


@pytest.mark.slow
def test_a_paused_redis_holds_nobody_up(silent_port: int) -> None:
    assert 0 < longest_wait_to_publish(silent_port) < 1.5


@pytest.mark.slow
def test_an_absent_redis_holds_nobody_up() -> None:
    assert 0 < longest_wait_to_publish(free_port()) < 1.0


def test_every_task_exists_that_somebody_names() -> None:
    app.loader.import_default_modules()

    assert {*PERIODIC, *WAKE_UPS, *wakeup._NAMES.values()} - set(app.tasks) == set()


BEAT = """
import json
import sys
sys.argv = ["/bin/celery", "-A", "sequra_bc", *sys.argv[1:]]
from sequra_bc.celery import app
app.loader.init_worker()
app.finalize()
queues = {name: app.amqp.router.route({}, name)["queue"].name for name in app.conf.beat_schedule}
print(json.dumps(["orders.models" in sys.modules, queues]))
"""


@pytest.mark.parametrize(
    ("arguments", "has_apps"),
    [(["beat"], False), (["worker", "--hostname", "beat"], True)],
    ids=["beat", "a worker of that name"],
)
def test_beat_sends_to_the_lanes_without_loading_the_apps(
    arguments: list[str], has_apps: bool
) -> None:
    command = [sys.executable, "-c", BEAT, *arguments]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(found.stdout) == [
        has_apps,
        {name: lane for name, (lane, _) in PERIODIC.items()},
    ]


def test_only_messages_of_the_slow_lane_expire() -> None:
    """A fast one waits for its turn; a slow one is made up for by the next."""
    expiring = {
        name: entry["options"].get("expires") for name, entry in app.conf.beat_schedule.items()
    }

    assert expiring == {
        name: seconds if lane == SLOW else None for name, (lane, seconds) in PERIODIC.items()
    }


def test_only_json_is_understood() -> None:
    assert (app.conf.accept_content, app.conf.task_serializer) == (["json"], "json")


def pickled(marker: str) -> str:
    """A message as Celery's Redis transport stores it, with a pickle that would run a command."""

    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (marker, "w"))

    body = base64.b64encode(pickle.dumps(((Harm(),), {}, {}))).decode()
    number = str(uuid.uuid4())
    return json.dumps(
        {
            "body": body,
            "content-encoding": "binary",
            "content-type": "application/x-python-serialize",
            "headers": {"task": "orders.tasks.sweep", "id": number},
            "properties": {
                "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": FAST},
                "delivery_mode": 2,
                "delivery_tag": number,
                "priority": 0,
            },
        }
    )


def test_a_poisoned_message_is_dropped_and_the_worker_lives(stack: Stack) -> None:
    marker = stack.home / "harm"
    broker = redis.Redis.from_url(stack.urls["REDIS_URL"])
    broker.lpush(FAST, pickled(str(marker)))
    deadline = time.monotonic() + 60
    worker = stack.processes["worker"]
    while not worker.has_logged("Refusing to deserialize") and time.monotonic() < deadline:
        time.sleep(0.1)
    waiting = broker.llen(FAST)
    broker.close()

    assert worker.has_logged("Refusing to deserialize")
    assert (marker.exists(), waiting, worker.running) == (False, 0, True)


def test_a_task_names_the_request_that_it_follows_from(stack: Stack) -> None:
    bind_contextvars(request_id="the-request-7")
    try:
        with app.connection_for_write(stack.urls["REDIS_URL"]) as broker:
            app.send_task("orders.tasks.drain", connection=broker)
    finally:
        unbind_contextvars("request_id")
    deadline = time.monotonic() + 60
    worker = stack.processes["worker"]
    while not worker.has_logged('"request_id": "the-request-7"') and time.monotonic() < deadline:
        time.sleep(0.1)

    assert worker.has_logged('"request_id": "the-request-7"')


def test_a_wake_up_names_the_request_that_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: queue.Queue[object] = queue.Queue()
    monkeypatch.setattr(wakeup, "publish", lambda _: seen.put(get_contextvars()))
    bind_contextvars(request_id="the-request-8")
    try:
        wakeup._WakeupThread().request()
    finally:
        unbind_contextvars("request_id")

    assert seen.get(timeout=60) == {"request_id": "the-request-8"}


# Celery writes these itself when another test has stopped the worker.
FAREWELL = re.compile(r"\nworker: (?:Warm|Cold|Hitting).*\n")


def test_the_worker_logs_json_and_nothing_else(stack: Stack) -> None:
    whole, _, _unfinished = stack.processes["worker"].log.read_text().rpartition("\n")
    lines = FAREWELL.sub("", whole + "\n").splitlines()

    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


HOLD = """
import sys
from sequra_bc.celery import _Slots
slots = _Slots(2)
slots.file = open(int(sys.argv[1]), "r+b", buffering=0)
with slots.one() as free:
    print(free, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("held", [0, 1, 2])
def test_slots_are_shared_by_processes_and_free_when_their_holder_dies(held: int) -> None:
    """As in a worker, whose children inherit the file."""
    slots = _Slots(2)
    file = slots.file.fileno()
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(file)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[file],
        )
        for _ in range(held)
    ]
    assert [one.stdout and one.stdout.readline() for one in holders] == [b"True\n"] * held
    with slots.one() as free:
        assert free == (held < 2)
    for holder in holders:
        holder.kill()
        holder.communicate()
    with slots.file, slots.one() as free:
        assert free


@pytest.mark.parametrize(
    ("queues", "concurrency", "number"),
    [({FAST, SLOW}, 4, 2), ({FAST, SLOW}, 8, 6), ({FAST, SLOW}, 2, 1), ({SLOW}, 4, None)],
)
def test_a_worker_of_both_lanes_keeps_two_slots(
    monkeypatch: pytest.MonkeyPatch, queues: set[str], concurrency: int, number: int | None
) -> None:
    kept: list[_Slots] = []
    monkeypatch.setattr(celery, "_slots", kept)
    consumed = SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=queues)))
    worker = SimpleNamespace(app=consumed, concurrency=concurrency)
    celery._keep_slots_for_the_fast_lane(worker)
    for one in kept:
        one.file.close()
    assert [one.number for one in kept] == ([] if number is None else [number])
