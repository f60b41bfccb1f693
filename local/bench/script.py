"""The checkout script: the bytes that every shopper loads, and those that a choice adds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from django.contrib.staticfiles.storage import staticfiles_storage

from local.bench.runner import Effort, Figures, Goal, Measure, Part, Servers
from local.static_files import collect
from stores.registration.checkout_script import FILE, FORM, file_name

FIRST, CHOICE = "first load", "after a choice"


def _sizes(file: str) -> Figures:
    path = staticfiles_storage.path(file_name(file))
    return {
        "gzip": Path(f"{path}.gz").stat().st_size,
        "Brotli": Path(f"{path}.br").stat().st_size,
        "minified": Path(path).stat().st_size,
    }


@contextmanager
def _variants(servers: Servers, _: Effort) -> Iterator[Mapping[str, Measure]]:
    collect(servers.env)
    yield {FIRST: partial(_sizes, FILE), CHOICE: partial(_sizes, FORM)}


PART = Part(
    title="the checkout script in bytes; its layout shift and its work are counted in tests",
    full=Effort(rounds=1, seconds=0, quick=False),
    quick=Effort(rounds=1, seconds=0, quick=True),
    variants=_variants,
    control=(FIRST, "gzip"),
    columns=dict.fromkeys(("gzip", "Brotli", "minified"), ".0f"),
    goals=(
        Goal("P10 gzip", "bytes of the first load", 8000, lambda found: found[FIRST]["gzip"]),
        Goal("P10 Brotli", "the same", 7100, lambda found: found[FIRST]["Brotli"]),
    ),
)
