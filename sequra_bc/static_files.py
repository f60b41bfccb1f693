"""collectstatic's storage: hashed, compressed names; the storefront's scripts minified."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

from stores.registration.checkout_script import FILE, FORM, WIDGETS, integrity_of

try:
    from minify import string as _minify
except ImportError:  # on Apple silicon, for which there is no wheel: larger, the same otherwise
    import rjsmin

    def _minify(_: str, source: str) -> str:
        return str(rjsmin.jsmin(source))


_OPERATORS = ("admin/", "rest_framework/")  # files of pages that no shop and no merchant opens
_REFERENCE = '"sequra-form.js",""'  # to the second file, as the minified script has it


# whitenoise has no types.
class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Minify the storefront's scripts, because every shopper loads them; name and hash follow."""

    def post_process(
        self, paths: dict[str, tuple[Any, str]], *args: Any, **options: Any
    ) -> Iterator[Any]:
        form = _minified(paths[FORM])
        name = self.hashed_name(FORM, ContentFile(form)).rpartition("/")[2]
        script = _minified(paths[FILE]).decode()
        if script.count(_REFERENCE) != 1:
            raise ValueError(f"{FILE} does not name its second file")
        script = script.replace(_REFERENCE, f'"{name}","{integrity_of(form)}"')
        widgets = _minified(paths[WIDGETS])
        for path, body in ((FORM, form), (FILE, script.encode()), (WIDGETS, widgets)):
            self.delete(path)
            self.save(path, ContentFile(body))
            paths[path] = (self, path)
        yield from super().post_process(paths, *args, **options)

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Compress what shops and merchants load: Django's own files took eight of nine seconds."""
        ours = (path for path in paths if not path.startswith(_OPERATORS))
        yield from super().compress_files(ours)

    def hashed_name(self, name: str, *args: Any, **options: Any) -> str:
        """Return the name of this content; the second file's is one that every release serves.

        Releases from before there were two files serve no other names from the database.
        """
        hashed: str = super().hashed_name(name, *args, **options)
        stem = FORM.removesuffix(".js")
        return hashed.replace(stem, FILE.removesuffix(".js")) if name == FORM else hashed


def _minified(found: tuple[Any, str]) -> bytes:
    storage, path = found
    with storage.open(path) as file:
        return str(_minify("text/javascript", file.read().decode())).encode()
