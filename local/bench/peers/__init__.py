"""Programs of others to measure beside the product, installed below `.local` when they are needed.

Web servers do what the product's webhook address has to do: compare a secret in constant time,
compute the HMAC of the body, parse it, and commit one row before the response. The worker makes the
calls of a changed order and commits one row. None of them keeps the product's limits, per-store
secrets, metrics, leases or request ids. `upstream.py` is the other systems.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.bench.runner import FOLDER, NotAvailable

HERE = Path(__file__).parent
_PYTHON_PACKAGES = (
    "uvicorn[standard]", "starlette", "asyncpg", "aiohttp", "taskiq", "taskiq-redis",
)  # fmt: skip
_NODE_PACKAGES = ("express", "pg")


def python_bin() -> Path:
    """Return the `bin` of an environment with the Python peers. Raise NotAvailable."""
    home = FOLDER / "peers"
    if not (home / "bin/taskiq").exists():
        _install([sys.executable, "-m", "venv", str(home)], FOLDER)
        _install([str(home / "bin/pip"), "install", "--quiet", *_PYTHON_PACKAGES], FOLDER)
    return home / "bin"


def node_modules() -> Path:
    """Return the folder of the Node.js peers' packages. Raise NotAvailable."""
    if not shutil.which("node") or not (npm := shutil.which("npm")):
        raise NotAvailable("Node.js and npm are not installed")
    home = FOLDER / "node"
    if not (home / "node_modules/pg").exists():
        home.mkdir(parents=True, exist_ok=True)
        _install([npm, "install", "--silent", "--prefix", str(home), *_NODE_PACKAGES], home)
    return home / "node_modules"


def _install(command: Sequence[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotAvailable(f"`{' '.join(command)}` failed: {' '.join(last)}")
