"""`make release-check`: whether this tree is the release that its version names.

Every place that carries the version agrees, CHANGELOG.md has its section, the API's document is the
released one, licences may be shipped, the image keeps our rules, and no version of the lock has a
known vulnerability. The bill of materials goes to artifacts/sbom.json. Where OSV cannot be reached
the audit is left out loudly; with CI set that is a fault.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

import requests
import yaml
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from local.compose_check import PINNED
from local.openapi_changes import load
from local.servers import ROOT
from transport import __version__

SBOM = ROOT / "artifacts" / "sbom.json"
OSV = "https://api.osv.dev"  # https://google.github.io/osv.dev/post-v1-querybatch/
_PINNED = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)
# May be shipped with a product under the MIT licence; the LGPL as an unchanged library.
_ACCEPTED = re.compile(
    r"(MIT|(?:New |3-Clause )?BSD|0BSD|Apache|MPL|Mozilla|PSF|Python Software|ISC|LGPL)(?![A-Za-z])"
    r"|.*Lesser General Public"
)


class Package(NamedTuple):
    """A line of the lock."""

    name: str
    version: str

    @property
    def purl(self) -> PackageURL:
        return PackageURL("pypi", None, self.name, self.version)


def packages(lock: Path = ROOT / "requirements.lock") -> list[Package]:
    """Return what the product is installed with."""
    return [Package(*found) for found in _PINNED.findall(lock.read_text())]


def version_faults(root: Path = ROOT) -> Iterator[str]:
    """Yield the places that name another version than `transport.__version__`."""
    kustomization = yaml.safe_load((root / "deploy/kubernetes/kustomization.yaml").read_text())
    described = load(root / "docs/api/openapi.yaml")
    named = {
        "deploy/kubernetes/kustomization.yaml": kustomization["images"][0]["newTag"],
        "docs/api/openapi.yaml (make openapi)": described["info"]["version"],
    }
    if tag := os.environ.get("RELEASE_TAG"):
        named["the tag"] = tag.removeprefix("v")
    yield from (f"{place}: {found}" for place, found in named.items() if found != __version__)


def api_faults(root: Path = ROOT) -> Iterator[str]:
    """Yield whether the next version would be compared with another API than this one's."""
    described, released = (
        (root / "docs/api" / name).read_text() for name in ("openapi.yaml", "released.yaml")
    )
    if released != described:
        yield "docs/api/released.yaml is not openapi.yaml: copy it, once nothing breaks clients"


def changelog_faults(text: str, version: str = __version__) -> Iterator[str]:
    """Yield what keeps CHANGELOG.md from being the text of this release."""
    sections = re.findall(r"^## (.*)\n((?:(?!## ).*\n?)*)", text, re.MULTILINE)
    titles = [title for title, _ in sections]
    if not any(re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", one) for one in titles):
        yield f"CHANGELOG.md has no section “{version} (YYYY-MM-DD)”"
    if any(title == "Unreleased" and "- " in body for title, body in sections):
        yield "CHANGELOG.md still has changes under “Unreleased”"


def licences(known: Iterable[Package]) -> dict[str, list[str]]:
    """Return what each installed package says of its licence: an expression, or its classifiers."""
    return {one.name: _licences(one.name) for one in known if _is_installed(one.name)}


def licence_faults(known: dict[str, list[str]]) -> Iterator[str]:
    """Yield the packages that may not be shipped. Of alternatives one is enough."""
    for name, found in known.items():
        if not found or not all(_is_accepted(one) for one in found):
            yield f"{name} is licensed under {', '.join(found) or 'nothing that it names'}"


def _is_installed(name: str) -> bool:
    try:
        return bool(metadata(name))
    except PackageNotFoundError:
        return False


def _licences(name: str) -> list[str]:
    about = metadata(name)
    if "License-Expression" in about:
        return [about["License-Expression"]]
    classified = [
        one.rpartition(" :: ")[2]
        for one in about.get_all("Classifier", [])
        if one.startswith("License :: OSI Approved ::")
    ]
    plain = about["License"].strip().partition("\n")[0] if "License" in about else ""
    return classified or ([plain] if plain else [])


def _is_accepted(licence: str) -> bool:
    alternatives = [re.split(r" AND ", one) for one in re.split(r" OR ", licence)]
    return any(all(_ACCEPTED.match(part.strip(" ()")) for part in one) for one in alternatives)


def image_faults(dockerfile: str) -> list[str]:
    """Return which of our rules an image would break."""
    lines = [line for line in dockerfile.replace("\\\n", " ").splitlines() if line[:1] != "#"]
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?", dockerfile, re.MULTILINE)
    own = {name for _, name in stages if name}
    users = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)
    settings = [line for line in lines if line.startswith(("ENV ", "ARG "))]
    rules = {
        "a base image has no version and digest": any(
            base not in own and not PINNED.fullmatch(base) for base, _ in stages
        ),
        "it runs as root": not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]),
        "ADD fetches what nobody checked": any(line.startswith("ADD ") for line in lines),
        "a program is downloaded": bool(re.search(r"\b(curl|wget)\b", dockerfile)),
        "pip checks no hashes": any(
            "pip install" in line and "--require-hashes" not in line for line in lines
        ),
        "a secret stays in it": bool(
            re.search(r"\b\w*(SECRET|PASSWORD|TOKEN|_KEYS?)\w*[= ]", "\n".join(settings))
        ),
        "it has no health check": not any(line.startswith("HEALTHCHECK ") for line in lines),
        "a shell runs the command": any(
            line.startswith("CMD ") and not line.startswith("CMD [") for line in lines
        ),
    }
    return [f"Dockerfile: {fault}" for fault, is_broken in rules.items() if is_broken]


def vulnerabilities(known: list[Package], osv: str = OSV) -> list[str]:
    """Return the known vulnerabilities of a lock. Raise requests' exceptions."""
    queries = [{"package": {"purl": one.purl.to_string()}} for one in known]
    answer = requests.post(f"{osv}/v1/querybatch", json={"queries": queries}, timeout=30)
    answer.raise_for_status()
    found = zip(known, answer.json()["results"], strict=True)
    return [
        f"{package.name} {package.version}: {one['id']}"
        for package, result in found
        for one in result.get("vulns", [])
    ]


def bill_of_materials(known: list[Package]) -> str:
    """Return the product and what it is made of, as CycloneDX 1.6."""
    factory = LicenseFactory()
    product = Component(
        name="sequra-bigcommerce",
        version=__version__,
        type=ComponentType.APPLICATION,
        licenses=[factory.make_from_string("MIT")],
    )
    declared = licences(known)
    parts = [
        Component(
            name=one.name,
            version=one.version,
            purl=one.purl,
            bom_ref=one.purl.to_string(),
            licenses=[factory.make_from_string(" OR ".join(declared[one.name]))]
            if declared.get(one.name)
            else [],
        )
        for one in known
    ]
    bom = Bom(components=parts)
    bom.metadata.component = product
    bom.register_dependency(product, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def main() -> None:
    known = packages()
    faults = [
        *version_faults(),
        *api_faults(),
        *changelog_faults((ROOT / "CHANGELOG.md").read_text()),
        *licence_faults(licences(known)),
        *image_faults((ROOT / "Dockerfile").read_text()),
    ]
    try:
        faults += vulnerabilities(known)
    except requests.RequestException as error:
        missed = f"the lock was not audited: {type(error).__name__} at {OSV}"
        print(f"!!! {missed}", file=sys.stderr)
        faults += [missed] if os.environ.get("CI") else []
    SBOM.parent.mkdir(exist_ok=True)
    SBOM.write_text(bill_of_materials(known))
    if faults:
        sys.exit("\n".join(faults))
    print(f"{__version__}: {len(known)} packages, {SBOM.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
