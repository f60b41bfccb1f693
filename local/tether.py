"""Runs one command, and ends it when whoever started us goes away.

    python tether.py [--stop SIGINT] [--grace 10] [--remove FOLDER] -- command argument ...

Our standard input is a pipe that the starter holds open and never writes to. It ends when the
starter ends, however that happens: `kill -9` closes pipes too. Then the command gets its stop
signal, after the grace period its whole process group is killed, and FOLDER is removed.

Imports nothing of the project: it starts in a few milliseconds, with `python -I -S`.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stop", default="SIGTERM", help="the signal that ends the command well")
    parser.add_argument("--grace", type=float, default=10, help="seconds before SIGKILL")
    parser.add_argument("--remove", help="a folder to delete when the command has ended")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def end(child: subprocess.Popen[bytes], stop: signal.Signals, grace: float) -> None:
    """The stop signal, then patience, then SIGKILL to whatever is left of the group."""
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(stop)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace)
    kill_group(child)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def main() -> int:
    options = parse(sys.argv[1:])
    stop = signal.Signals[options.stop]
    child = subprocess.Popen(options.command, stdin=subprocess.DEVNULL, start_new_session=True)

    def watch() -> None:
        sys.stdin.buffer.read()
        end(child, stop, options.grace)

    def asked(_number: int, _frame: object) -> None:
        threading.Thread(target=end, args=(child, stop, options.grace), daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, asked)
    threading.Thread(target=watch, daemon=True).start()
    code = child.wait()
    kill_group(child)
    if options.remove:
        shutil.rmtree(options.remove, ignore_errors=True)
        with contextlib.suppress(OSError):  # the last one of the servers removes their folder
            # pathlib would double what this tiny process imports.
            os.rmdir(os.path.dirname(options.remove))  # noqa: PTH106, PTH120
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main())
