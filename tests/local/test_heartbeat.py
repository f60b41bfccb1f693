"""Workers and beats show that they are well, with and without their broker."""

import sys
from pathlib import Path

import pytest
from celery import Celery
from pytest_django.fixtures import Settings

from local.processes import Process, environment, free_port
from local.servers import ROOT, valkey
from sequra_bc import celery

BROKER_AWAY = f"redis://127.0.0.1:{free_port()}/0"


def app_at(broker: str) -> Celery:
    """Return an application that does not become the current one of this process."""
    return Celery(broker=broker, set_as_current=False)


@pytest.fixture
def pulse() -> celery._Pulse:
    """The pulse of a main loop that has been silent for a minute."""
    found = celery._Pulse(app_at(BROKER_AWAY))
    found.last -= 60
    return found


def test_a_worker_is_well_while_its_loop_goes_round(pulse: celery._Pulse) -> None:
    pulse.beat()
    pulse.app = app_at("none://the-broker-is-not-asked")
    assert pulse.is_well()


def test_an_outage_of_the_broker_is_no_fault_of_the_worker(pulse: celery._Pulse) -> None:
    assert pulse.is_well()


@pytest.mark.slow
def test_a_loop_that_is_stuck_is_found(pulse: celery._Pulse, tmp_path: Path) -> None:
    with valkey(tmp_path / "valkey", scratch=True) as url:
        pulse.app = app_at(url)
        assert not pulse.is_well()


def test_without_a_file_nothing_is_written(settings: Settings, tmp_path: Path) -> None:
    settings.HEARTBEAT_FILE = ""
    celery._touch()
    settings.HEARTBEAT_FILE = str(tmp_path / "alive")
    celery._touch()
    assert [path.name for path in tmp_path.iterdir()] == ["alive"]


@pytest.mark.slow
@pytest.mark.parametrize("program", ["worker", "beat"])
def test_a_process_touches_its_file_without_a_broker(program: str, tmp_path: Path) -> None:
    """With one they do in the test of the compose file."""
    alive = tmp_path / "alive"
    process = Process(
        program,
        [sys.executable, "-m", "celery", "-A", "sequra_bc", program],
        log=tmp_path / "log",
        cwd=ROOT,
        env=environment(HEARTBEAT_FILE=str(alive), REDIS_URL=BROKER_AWAY),
        ready=alive.exists,
    )
    process.start()
    process.wait_ready()
    process.stop()
