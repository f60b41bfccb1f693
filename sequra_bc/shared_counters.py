"""Where the processes of one server keep their counters together.

Imported before prometheus_client, which looks at the environment once, while it is imported.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share() -> None:
    """Names a folder that all workers of this WSGI server share, unless the operator named one.

    The workers have one parent in common, the server. Without a folder of our own (somebody else
    may have put one of that name into the temporary folder) each process counts for itself.
    """
    prefix = f"sequra-bc-metrics-{os.geteuid()}-"
    _forget_dead_servers(prefix)
    path = Path(tempfile.gettempdir()) / f"{prefix}{os.getppid()}"
    if VARIABLE not in os.environ and ours(path):
        os.environ[VARIABLE] = str(path)


def _forget_dead_servers(prefix: str) -> None:
    """Deletes the counters of servers that run no more."""
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        server = path.name.removeprefix(prefix)
        if server.isdecimal() and not _alive(int(server)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(server: int) -> bool:
    try:
        os.kill(server, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def ours(path: Path) -> bool:
    """Makes the folder for us alone; false when that is not possible."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def folder() -> str:
    """The folder in use, or nothing."""
    path = os.environ.get(VARIABLE, "")
    return path if path and Path(path).is_dir() else ""
