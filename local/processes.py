"""Child processes that end with their parent: started by `tether.py`, stopped in reverse order."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

TETHER = Path(__file__).with_name("tether.py")
REMOVAL = 60  # seconds: a busy machine takes its time to delete thousands of files


class StartFailed(Exception):
    """A process ended, or did not answer in time. The message ends with the tail of its log."""


_taken: list[int] = []  # open files, closed by the end of the process


def take(port: int) -> bool:
    """Make this TCP port of the loopback address ours until our process ends; False if it is not.

    The app's server shares a port with whoever listens there already, and each gets some of the
    other's requests. So it is not enough that nobody listens yet: whoever takes a port holds the
    UDP port of the same number, which nothing else here uses.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", port))
            probe.bind(("127.0.0.1", port))
        except OSError:
            holder.close()
            return False
    _taken.append(holder.detach())
    return True


def free_port() -> int:
    """Return a port that is ours, below the ephemeral range, which no outgoing connection uses.

    Test workers may begin with the same seed, and would try the same ports.
    """
    unseeded = random.SystemRandom()
    for _ in range(200):
        if take(port := unseeded.randrange(10_000, 32_000)):
            return port
    raise StartFailed("no free port between 10000 and 32000")


@dataclass
class Process:
    """One command with its log file. `ready` is called until it returns true."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] = lambda: True
    stop_signal: str = "SIGTERM"
    grace: float = 10
    remove: Path | None = None  # deleted when the process has ended
    keep_open: Sequence[int] = field(default=())  # file descriptors (locks) the tether holds too
    cwd: Path | None = None
    tether: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _log_starts_at: int = field(default=0, init=False)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_starts_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.tether = self._spawn(output)

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        tether = [sys.executable, "-I", "-S", str(TETHER), "--stop", self.stop_signal]
        tether += ["--grace", str(self.grace)]
        if self.remove:
            tether += ["--remove", str(self.remove)]
        return subprocess.Popen(
            [*tether, "--", *self.command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if self.env is None else dict(self.env),
            pass_fds=tuple(self.keep_open),
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop things in order
            cwd=self.cwd,
        )

    @property
    def running(self) -> bool:
        return self.tether is not None and self.tether.poll() is None

    @property
    def pid(self) -> int:
        """Return the id of the tether, whose child is the command. Raise StartFailed."""
        if self.tether is None:
            raise StartFailed(f"{self.name} was not started")
        return self.tether.pid

    def wait_ready(self, timeout: float = 120) -> None:
        """Wait until the process answers. Raise StartFailed when it ends or does not answer."""
        deadline = time.monotonic() + timeout
        while not self.ready():
            if not self.running:
                raise StartFailed(f"{self.name} ended while starting\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} gave no answer in {timeout:g} s\n{self.tail()}")
            time.sleep(0.03)

    def has_logged(self, wanted: str) -> bool:
        """Return whether the log contains this text since the last start."""
        with self.log.open("rb") as written:
            written.seek(self._log_starts_at)
            return wanted.encode() in written.read()

    def tail(self, lines: int = 25) -> str:
        """Return the end of the log, for error messages."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.log}", *text.splitlines()[-lines:]])

    def ask_to_stop(self) -> None:
        """Request the end by closing the pipe; `stop` waits for it."""
        if self.tether and self.tether.stdin and not self.tether.stdin.closed:
            self.tether.stdin.close()

    def stop(self) -> None:
        self.ask_to_stop()
        if self.tether:
            self.tether.wait(self.grace + REMOVAL)


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether something accepts connections on this port."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with changes, for a child."""
    return {**os.environ, **changes}
