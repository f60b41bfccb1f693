"""What a newcomer reads: files that are there, and names in them that exist."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from local.recording import FILM, LARGEST
from local.servers import ROOT

# Not the changelog, which tells of what was.
DOCUMENTS = [path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"]
DOCUMENTS += ROOT.glob("docs/**/*.md")
GITHUB = ROOT / ".github"
# A path in backticks has a slash; one that begins with a dot is made at run time.
PATH = re.compile(r"`(\w[\w.\-*]*(?:/[\w.\-*]+)+/?)`")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]+)")
COMMAND = re.compile(r"\bmake ([a-z][a-z-]+)\b(?=[^a-z]*`)")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_what_exists(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    missing = [name for name in PATH.findall(text) if not list(ROOT.glob(name.rstrip("/")))]
    broken = [name for name in LINK.findall(text) if not (document.parent / name).exists()]
    unknown = [name for name in COMMAND.findall(text) if name not in targets]

    assert (missing, broken, unknown) == ([], [], [])


def test_the_readme_opens_with_a_short_recording_of_the_demo() -> None:
    pictures = re.findall(r"^!\[.+?\]\((.+?)\)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert ROOT / pictures[0] == FILM
    with Image.open(FILM) as film:
        assert (film.format, getattr(film, "n_frames", 1) >= 5) == ("WEBP", True)
    assert FILM.stat().st_size < LARGEST


def test_the_licence_names_its_holder() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("MIT License\n")
    assert "The authors of SeQura for BigCommerce" in licence


def test_a_pull_request_runs_everything_on_the_oldest_and_the_newest_python() -> None:
    job = load(GITHUB / "workflows/ci.yml")["jobs"]["ci"]
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())

    assert oldest is not None
    assert job["strategy"]["matrix"]["python"] == [oldest[1], "3.14"]
    assert job["steps"][-1] == {"run": "bash .ci/run"}


def test_github_finds_the_forms_the_template_and_what_to_update() -> None:
    forms = [load(path) for path in sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml"))]
    updated = load(GITHUB / "dependabot.yml")["updates"]

    assert [set(form) >= {"name", "description", "body"} for form in forms] == [True, True]
    assert (GITHUB / "pull_request_template.md").read_text().count("- [ ]") >= 3
    assert {one["package-ecosystem"] for one in updated} == {
        "github-actions", "docker", "docker-compose", "pip",
    }  # fmt: skip


def test_the_hooks_before_a_commit_run_what_is_installed() -> None:
    hooks = load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    programs = {hook["entry"].split()[0] for hook in hooks}

    assert programs == {".venv/bin/ruff", ".venv/bin/lint-imports", ".venv/bin/mypy"}


def test_a_migration_is_never_changed_after_it_was_written() -> None:
    """Installations have run it: what differs would never reach them."""
    lines = (ROOT / "migrations.sha256").read_text().splitlines()
    known = {path: digest for digest, path in (line.split() for line in lines)}
    written = {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in ROOT.glob("*/migrations/0*.py")
    }

    assert len(known) == len(lines) >= 4
    assert written == known, "change the models by a new migration: make migrations"
