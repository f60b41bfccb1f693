"""The storefront's scripts as collectstatic makes them and the app serves them: small, and named by
their hashes."""

import gzip
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import brotli
import pytest
import requests
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.base import ContentFile

from sequra_bc.static_files import StaticFiles
from stores.registration import checkout_script
from stores.registration.checkout_script import FILE, FORM, WIDGETS, integrity_of

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
}


def served(address: str, accepted: str) -> tuple[str, bytes]:
    """The encoding that the app chose, and the bytes as they travelled."""
    headers = {"Accept-Encoding": accepted}
    with requests.get(address, headers=headers, timeout=60, stream=True) as answer:
        assert answer.status_code == 200
        assert answer.headers["Vary"] == "Accept-Encoding"
        return answer.headers.get("Content-Encoding", ""), answer.raw.read(decode_content=False)


@pytest.mark.parametrize("file", [FILE, FORM, WIDGETS])
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("identity", ""),
        ("gzip", "gzip"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=1.0, gzip;q=0.8", "br"),
    ],
)
def test_a_script_is_served_as_its_browser_takes_it(
    live_app: str, file: str, accepted: str, encoding: str
) -> None:
    chosen, content = served(live_app + staticfiles_storage.url(file), accepted)

    assert chosen == encoding
    assert DECODERS[encoding](content) == checkout_script._body(file)


@pytest.mark.skipif(not find_spec("minify"), reason="Apple silicon has another minifier")
def test_the_first_load_of_the_script_is_small(live_app: str) -> None:
    address = live_app + staticfiles_storage.url(FILE)
    sizes = {encoding: len(served(address, encoding)[1]) for encoding in ("gzip", "br")}

    assert (sizes["gzip"] <= 8_000, sizes["br"] <= 7_100) == (True, True), sizes


@pytest.mark.skipif(not find_spec("minify"), reason="Apple silicon has another minifier")
def test_the_script_of_the_widgets_is_small(live_app: str) -> None:
    _, content = served(live_app + staticfiles_storage.url(WIDGETS), "gzip")

    assert len(content) <= 8_000


def test_the_script_names_its_second_file_with_the_hash_of_what_is_served() -> None:
    script = checkout_script._body().decode()
    form = checkout_script.file_name(FORM).rpartition("/")[2]

    assert f'"{form}","{integrity_of(checkout_script._body(FORM))}"' in script
    assert re.fullmatch(r"sequra-checkout\.[0-9a-f]{12}\.js", form)


@pytest.mark.parametrize("file", [FILE, FORM, WIDGETS])
def test_no_comment_or_source_map_is_shipped(file: str) -> None:
    script = checkout_script._body(file).decode()

    assert "/*" not in script
    assert "sourceMappingURL" not in script
    assert not re.search(r"^\s*//", script, re.MULTILINE)


def test_a_script_that_does_not_name_its_second_file_is_not_collected(tmp_path: Any) -> None:
    storage = StaticFiles(location=tmp_path, base_url="/static/")
    for file in (FILE, FORM, WIDGETS):
        storage.save(file, ContentFile(b"void 0;"))

    with pytest.raises(ValueError, match="does not name its second file"):
        list(storage.post_process({file: (storage, file) for file in (FILE, FORM, WIDGETS)}))
