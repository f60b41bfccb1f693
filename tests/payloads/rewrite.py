"""`python -m tests.payloads.rewrite`: write every golden file anew from what the code says now.

Every module `*_cases.py` here has a `rewrite()`. Read the difference before committing it.
"""

from importlib import import_module
from pathlib import Path


def rewrite_all() -> None:
    for path in sorted(Path(__file__).parent.glob("*_cases.py")):
        import_module(f"{__package__}.{path.stem}").rewrite()


if __name__ == "__main__":
    rewrite_all()
