"""docs/ as a site: every page has its place, every link an end, and all of it is there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from local.servers import ROOT

pytestmark = pytest.mark.slow
DOCS = ROOT / "docs"
LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class References(HTMLParser):
    """What a page loads, and where it leads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.loaded += [found.get(LOADED[tag]) or ""] if tag in LOADED else []
        self.links += [found.get("href") or ""] if tag == "a" else []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built strictly: a page without a place, a broken link or anchor is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [str(Path(sys.executable).parent / "mkdocs"), "build", "--site-dir", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def pages(site: Path) -> Iterator[tuple[Path, References]]:
    yield from ((page, References(page)) for page in site.rglob("*.html"))


def test_every_document_is_a_page(site: Path) -> None:
    documents = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert {path.relative_to(site) for path in site.rglob("*.html")} == documents | {
        Path("404.html")
    }


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = {address for _, page in pages(site) for address in page.loaded}
    styles = (path.read_text() for path in site.rglob("*.css"))
    fetched = {
        address for style in styles for address in re.findall(r"url\(['\"]?(\w+:\S+)", style)
    }

    assert len(loaded) > 5
    assert [address for address in loaded if urlsplit(address).netloc] == []
    assert [address for address in fetched if not address.startswith("data:")] == []


def test_every_file_that_a_page_names_is_there(site: Path) -> None:
    missing = [
        (page.name, address)
        for page, references in pages(site)
        if page.name != "404.html"  # served for any address, so its own begin with a slash
        for address in (*references.loaded, *references.links)
        if not urlsplit(address).scheme
        and not (page.parent / unquote(urlsplit(address).path)).exists()
    ]
    assert missing == []


def test_the_manual_has_the_same_sections_and_pictures_in_both_languages() -> None:
    english, spanish = (
        re.findall(r"^(#+)|^!\[.*?\]\(pictures/(?:es/)?([\w-]+\.png)\)", text, re.MULTILINE)
        for text in ((DOCS / name).read_text() for name in ("merchants.md", "merchants.es.md"))
    )
    assert english == spanish
    assert len([one for one in english if one[1]]) == 5
