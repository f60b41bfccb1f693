"""`make release-check` finds what keeps a tree from being a release; the workflow publishes one."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from local.processes import free_port
from local.release_check import (
    Package,
    api_faults,
    bill_of_materials,
    changelog_faults,
    image_faults,
    licence_faults,
    licences,
    packages,
    version_faults,
    vulnerabilities,
)
from local.servers import ROOT
from transport import __version__

DOCKERFILE = (ROOT / "Dockerfile").read_text()
CHANGELOG = f"# Changelog\n\n## {__version__} (2026-11-28)\n\n- One.\n"
PLACES = ("deploy/kubernetes/kustomization.yaml", "docs/api/openapi.yaml")


def test_this_tree_names_one_version_and_may_be_shipped() -> None:
    assert list(version_faults()) == []
    assert list(licence_faults(licences(packages()))) == []
    assert image_faults(DOCKERFILE) == []


@pytest.mark.parametrize("place", PLACES)
def test_a_place_with_another_version_is_named(tmp_path: Path, place: str) -> None:
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    assert list(version_faults(tmp_path)) == []
    text = (tmp_path / place).read_text()
    (tmp_path / place).write_text(text.replace(__version__, "9.9.9"))

    (fault,) = version_faults(tmp_path)
    assert fault.startswith(place)


def test_a_release_records_its_api(tmp_path: Path) -> None:
    (tmp_path / "docs/api").mkdir(parents=True)
    for name in ("openapi.yaml", "released.yaml"):
        (tmp_path / "docs/api" / name).write_text("a: 1\n")
    assert list(api_faults(tmp_path)) == []
    (tmp_path / "docs/api/openapi.yaml").write_text("a: 2\n")
    assert len(list(api_faults(tmp_path))) == 1


def test_a_tag_of_another_version_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELEASE_TAG", f"v{__version__}")
    assert list(version_faults()) == []
    monkeypatch.setenv("RELEASE_TAG", "v9.9.9")
    assert list(version_faults()) == ["the tag: 9.9.9"]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (CHANGELOG, 0),
        (f"{CHANGELOG}\n## 0.0.1 (2026-01-01)\n\n- Old.\n", 0),
        (CHANGELOG.replace("(2026-11-28)", "(soon)"), 1),
        (CHANGELOG.replace(__version__, "9.9.9"), 1),
        (f"# Changelog\n\n## Unreleased\n\n- New.\n\n{CHANGELOG[13:]}", 1),
        (f"# Changelog\n\n## Unreleased\n\n{CHANGELOG[13:]}", 0),
    ],
)
def test_the_changelog_has_a_dated_section_and_no_more(text: str, faults: int) -> None:
    assert len(list(changelog_faults(text))) == faults


@pytest.mark.parametrize(
    ("licence", "is_accepted"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("Apache-2.0 AND GPL-3.0-only", False),
        ("GNU Library or Lesser General Public License (LGPL)", True),
        ("GNU General Public License v3 (GPLv3)", False),
        ("AGPL-3.0", False),
        ("MITIGATED", False),
    ],
)
def test_a_licence_that_may_not_be_shipped_is_named(licence: str, is_accepted: bool) -> None:
    assert (list(licence_faults({"one": [licence]})) == []) == is_accepted


def test_a_package_without_a_licence_is_named() -> None:
    assert list(licence_faults({"one": []})) == ["one is licensed under nothing that it names"]


@pytest.mark.parametrize(
    ("shipped", "changed", "fault"),
    [
        ("python:3.11.14-slim-bookworm@", "python@", "a base image has no version and digest"),
        ("bookworm@sha256:65a9", "bookworm@sha256:", "a base image has no version and digest"),
        ("USER 10001:10001", "USER root", "it runs as root"),
        ("COPY . .", "ADD https://example.com/x.tar .", "ADD fetches what nobody checked"),
        ("WORKDIR /app", "RUN curl -O https://example.com/x", "a program is downloaded"),
        ("--require-hashes ", "", "pip checks no hashes"),
        ("PYTHONUNBUFFERED=1", "SECRET_KEY=x", "a secret stays in it"),
        ("HEALTHCHECK ", "# ", "it has no health check"),
        ('CMD ["granian"', 'CMD granian #"', "a shell runs the command"),
    ],
)
def test_an_image_that_breaks_a_rule_is_named(shipped: str, changed: str, fault: str) -> None:
    assert shipped in DOCKERFILE
    assert image_faults(DOCKERFILE.replace(shipped, changed)) == [f"Dockerfile: {fault}"]


# --- Known vulnerabilities ------------------------------------------------------------------------


class Advisories(BaseHTTPRequestHandler):
    """OSV's batch query, for one package that has an advisory."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        results = [
            {"vulns": [{"id": "GHSA-1"}]} if one["package"]["purl"] == "pkg:pypi/bad@1.0" else {}
            for one in asked
        ]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"results": results}).encode())

    def log_message(self, *_: object) -> None:
        """The test says what matters."""


@pytest.fixture
def osv() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", free_port()), Advisories) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_known_vulnerability_is_named(osv: str) -> None:
    known = [Package("good", "1.0"), Package("bad", "1.0"), Package("bad", "1.1")]
    assert vulnerabilities(known, osv) == ["bad 1.0: GHSA-1"]
    assert vulnerabilities(packages(), osv) == []


def test_a_service_that_does_not_answer_is_no_clean_audit() -> None:
    with pytest.raises(requests.ConnectionError):
        vulnerabilities(packages(), f"http://127.0.0.1:{free_port()}")


def test_the_bill_of_materials_names_every_package_of_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    bill = json.loads(bill_of_materials(packages()))
    named = {f"{one['name']}=={one['version']}" for one in bill["components"]}

    assert named == set(re.findall(r"^[\w-]+==[^ ;]+", lock, re.MULTILINE))
    assert bill["specVersion"] == "1.6"
    assert bill["metadata"]["component"]["version"] == __version__
    assert {"license": {"id": "MIT"}} in next(
        one["licenses"] for one in bill["components"] if one["name"] == "whitenoise"
    )
    (product,) = (one for one in bill["dependencies"] if len(one.get("dependsOn", [])) > 1)
    assert len(product["dependsOn"]) == len(bill["components"])


# --- The workflow ---------------------------------------------------------------------------------


def workflow() -> Any:
    return yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())


def uses(job: str, action: str) -> Any:
    (found,) = (
        step
        for step in workflow()["jobs"][job]["steps"]
        if step.get("uses", "").partition("@")[0] == action
    )
    return found["with"]


def test_only_a_version_s_tag_is_published_and_only_after_every_check() -> None:
    assert workflow()[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}  # YAML's "on"
    commands = [step["run"] for step in workflow()["jobs"]["check"]["steps"] if "run" in step]
    assert commands[:2] == ["make release-check", "bash .ci/run"]
    assert workflow()["jobs"]["publish"]["needs"] == "check"


def test_images_are_for_two_architectures_with_sbom_and_provenance() -> None:
    image = uses("publish", "docker/build-push-action")
    assert {name: image[name] for name in ("platforms", "push", "sbom", "provenance")} == {
        "platforms": "linux/amd64,linux/arm64", "push": True, "sbom": True,
        "provenance": "mode=max",
    }  # fmt: skip
    assert image["build-args"] == "REVISION=${{ github.sha }}"
    attested = uses("publish", "actions/attest-build-provenance")
    assert attested["subject-digest"] == "${{ steps.image.outputs.digest }}"


def test_a_job_may_do_no_more_than_it_needs() -> None:
    assert workflow()["permissions"] == {"contents": "read"}
    assert workflow()["jobs"]["publish"]["permissions"] == {
        "contents": "write", "id-token": "write", "attestations": "write",
    }  # fmt: skip
    actions = re.findall(r"uses: (\S+)", (ROOT / ".github/workflows/release.yml").read_text())
    assert [one for one in actions if not re.fullmatch(r"[\w./-]+@v\d+", one)] == []
