"""The folder in which the processes of one server share their counters.

Import it before prometheus_client, which reads the environment once, at import.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share() -> None:
    """Set a folder that all workers of this WSGI server share, unless the operator set one.

    The workers have one parent in common, the server. If the folder belongs to another user, each
    process counts for itself.
    """
    prefix = f"sequra-bc-metrics-{os.geteuid()}-"
    _forget_dead_servers(prefix)
    path = Path(tempfile.gettempdir()) / f"{prefix}{os.getppid()}"
    if _VARIABLE not in os.environ and _ours(path):
        os.environ[_VARIABLE] = str(path)


def _forget_dead_servers(prefix: str) -> None:
    """Delete the counters of servers that do not run any more."""
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


def _ours(path: Path) -> bool:
    """Make the folder private; return False when that is not possible."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def folder() -> str:
    """Return the folder in use; empty without one."""
    path = os.environ.get(_VARIABLE, "")
    return path if path and Path(path).is_dir() else ""
