"""Where the processes of one server keep their counters together.

Imported before prometheus_client, which looks at the environment once, while it is imported.
"""

import os
import stat
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share() -> None:
    """Names a folder that all workers of this WSGI server share, unless the operator named one.

    The workers have one parent in common, the server. Without a folder of our own (somebody else
    may have put one of that name into /tmp) each process counts for itself.
    """
    name = f"sequra-bc-metrics-{os.geteuid()}-{os.getppid()}"
    path = Path(tempfile.gettempdir()) / name
    if VARIABLE not in os.environ and ours(path):
        os.environ[VARIABLE] = str(path)


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
