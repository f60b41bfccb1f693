"""collectstatic's storage: hashed, compressed names; the checkout script without comments."""

import re
from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

LEAN = ("storefront/sequra-checkout.js", "storefront/sequra-info.js")
BLOCK_COMMENT = re.compile(r"^[ \t]*/\*.*?\*/[ \t]*$", re.MULTILINE | re.DOTALL)
LINE_COMMENT = re.compile(r"(^|\s)// [^\"'`]*$")


def lean(source: str) -> str:
    """The script without comments and indentation; a line stays a line, so no rule can change.

    A comment is one that stands alone, or at the end of a line behind a space and without quotes.
    """
    lines = (
        LINE_COMMENT.sub("", line).strip() for line in BLOCK_COMMENT.sub("", source).split("\n")
    )
    return "\n".join(line for line in lines if line) + "\n"


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """The checkout script goes out lean, because every shopper loads it; name and hash follow."""

    def post_process(
        self, paths: dict[str, tuple[Any, str]], *args: Any, **options: Any
    ) -> Iterator[Any]:
        for name in set(LEAN) & set(paths):
            storage, path = paths[name]
            with storage.open(path) as file:
                source = file.read().decode()
            self.delete(name)
            self.save(name, ContentFile(lean(source).encode()))
            paths[name] = (self, name)
        yield from super().post_process(paths, *args, **options)
