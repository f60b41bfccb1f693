"""Where the processes of one web server add their counters up."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from sequra_bc.shared_counters import _VARIABLE, folder, share


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(_VARIABLE, raising=False)
    return tmp_path


def test_all_workers_of_a_server_share_one_private_folder(temporary: Path) -> None:
    share()
    shared = temporary / f"sequra-bc-metrics-{os.geteuid()}-{os.getppid()}"

    assert folder() == str(shared)
    assert shared.stat().st_mode & 0o777 == 0o700
    del os.environ[_VARIABLE]


def test_the_operators_folder_wins(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_VARIABLE, str(temporary))
    share()

    assert (folder(), list(temporary.iterdir())) == (str(temporary), [])


def test_somebody_elses_folder_is_not_used(temporary: Path) -> None:
    trap = temporary / f"sequra-bc-metrics-{os.geteuid()}-{os.getppid()}"
    trap.symlink_to(temporary / "elsewhere")
    share()

    assert folder() == ""


def test_counters_of_dead_servers_go(temporary: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    prefix = temporary / f"sequra-bc-metrics-{os.geteuid()}-"
    dead, living = Path(f"{prefix}{ended.pid}"), Path(f"{prefix}{os.getpid()}")
    dead.mkdir()
    living.mkdir()
    share()

    assert (dead.exists(), living.exists()) == (False, True)
    del os.environ[_VARIABLE]
