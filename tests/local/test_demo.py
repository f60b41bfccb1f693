"""`make demo`: the purchase on the screen, and nothing left behind, however it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.merchant import until
from local.processes import environment
from local.sandbox_control import SandboxControl
from local.servers import ROOT

pytestmark = pytest.mark.slow

STEPS = [
    "Installed in BigCommerce",
    "Connected to SeQura",
    "Registered",
    "A second store               second456, where SeQura is not installed",
    "The days before today",
    "Script on the payment step",
    "SeQura offers",
    "The app says                 confirmed",
    "Order number",
    "BigCommerce holds",
    "SeQura holds",
    "Ships one piece",
    "Refunds that piece",
    "The transaction log says",
    "Where to click:",
    "Operators' admin",
    "Who to be on SeQura's form:",
    "Review Test Approve",
    "Test Decline",
    "SMS code                     the phone's last 5 digits: 45678",
    "From the installation on, in a second store:",
    "SeQura's account is demo / demo-secret",
    "First steps:",
    "Everything stays up until Ctrl-C.",
]
MARKER = "SEQURA_BC_DEMO_UNDER_TEST"
Demo = subprocess.Popen[str]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """The demo with a shell between us and it, as make is, on servers of its own."""
    env = environment(DATABASE_URL="", REDIS_URL="", **{MARKER: str(tmp_path)})
    command = f"{sys.executable} -m local.demo {tmp_path}; exit $?"
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()


def family(folder: Path) -> list[str]:
    """Every process that inherited the demo's environment, by its command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARKER}={folder}".encode() in (process / "environ").read_bytes():
                line = (process / "cmdline").read_bytes()
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended, or is not ours
            continue
    return found


def left_of(folder: Path, seconds: float = 40) -> list[str]:
    """What is still there after some patience."""
    deadline = time.monotonic() + seconds
    while family(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    return family(folder)


def lines_until(demo: Demo, last: str) -> list[str]:
    """What it prints up to the line with these words, or all of it."""
    read: list[str] = []
    assert demo.stdout
    for line in demo.stdout:
        read.append(line)
        if last in line:
            break
    return read


def sandbox_ports(shown: str) -> list[int]:
    """The ports of the two stores' sandboxes, in the addresses of their control panels."""
    sites = ("panel.localhost", "panel.second.localhost")
    found = [re.search(rf"http://{site}:(\d+)", shown) for site in sites]
    return [int(one[1]) for one in found if one]


def test_the_demo_buys_and_ctrl_c_ends_it(demo: Demo, tmp_path: Path) -> None:
    shown = "".join(lines_until(demo, STEPS[-1]))
    assert [step for step in STEPS if step not in shown] == []
    assert len(family(tmp_path)) > 10
    first, second = (SandboxControl(port) for port in sandbox_ports(shown))
    assert second.control("POST", "install", {})["auth"] == 200
    assert until(lambda: second.held("hooks") and second.held("scripts"))
    assert {hook["store_hash"] for hook in first.held("hooks")} == {"demo123"}
    assert {hook["store_hash"] for hook in second.held("hooks")} == {"second456"}

    os.killpg(demo.pid, signal.SIGINT)
    demo.wait(60)

    assert left_of(tmp_path, seconds=1) == []


def test_a_killed_parent_takes_everything_along(demo: Demo, tmp_path: Path) -> None:
    lines_until(demo, "SeQura for BigCommerce is running")

    demo.kill()  # the shell alone: the demo notices that it is an orphan

    assert left_of(tmp_path) == []


def test_a_killed_demo_takes_everything_along(demo: Demo, tmp_path: Path) -> None:
    lines_until(demo, "Order number")

    os.killpg(demo.pid, signal.SIGKILL)

    assert left_of(tmp_path) == []
