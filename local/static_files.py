"""collectstatic, once per change: pages and the checkout script need the hashed names."""

import fcntl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local.processes import StartFailed
from local.servers import ROOT

STORAGE = ROOT / "sequra_bc" / "static_files.py"


def newest(folder: Path) -> float:
    """When anything below folder changed last, in seconds since 1970."""
    return max((path.stat().st_mtime for path in folder.rglob("*")), default=0.0)


def collect(env: Mapping[str, str], target: Path = ROOT / "staticfiles") -> None:
    """Fills staticfiles/ unless it is newer than static/. Safe to call from several processes."""
    target.mkdir(exist_ok=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        manifest = target / "staticfiles.json"
        changed = max(newest(ROOT / "static"), STORAGE.stat().st_mtime)
        if manifest.exists() and manifest.stat().st_mtime > changed:
            return
        command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
        made = subprocess.run(
            command, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise StartFailed(f"collectstatic failed\n{made.stdout}{made.stderr}")
