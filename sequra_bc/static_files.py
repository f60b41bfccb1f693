"""collectstatic's storage: hashed, compressed names; the checkout's scripts minified."""

from collections.abc import Iterator
from typing import Any

import rjsmin
from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

_MINIFIED = ("storefront/sequra-checkout.js", "storefront/sequra-info.js")


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Minify the checkout's scripts, because every shopper loads them; name and hash follow."""

    def post_process(
        self, paths: dict[str, tuple[Any, str]], *args: Any, **options: Any
    ) -> Iterator[Any]:
        for name in set(_MINIFIED) & set(paths):
            storage, path = paths[name]
            with storage.open(path) as file:
                source = file.read().decode()
            self.delete(name)
            self.save(name, ContentFile(rjsmin.jsmin(source).encode()))
            paths[name] = (self, name)
        yield from super().post_process(paths, *args, **options)
