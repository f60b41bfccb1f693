"""A release never takes SeQura out of a checkout: scripts of other versions are still served."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import connection
from django.test import Client
from django.utils import timezone

from local.processes import Process, environment, free_port
from local.servers import ROOT, create_database
from local.stack import web_process
from stores import registration, tasks
from stores.models import ScriptVersion, Store
from stores.registration import checkout_script
from tests.stores.world import World

# The storage of the settings is not Django's default.
OURS = staticfiles_storage.stored_name(checkout_script.FILE)  # type: ignore[attr-defined]
# What a release from before there were two files serves of other versions.
ONE_FILE = r"storefront/sequra-checkout\.[0-9a-f]{12}\.js"
# Of the same storage.
FORM = staticfiles_storage.stored_name(checkout_script.FORM)  # type: ignore[attr-defined]
WIDGETS = staticfiles_storage.stored_name(checkout_script.WIDGETS)  # type: ignore[attr-defined]
OLD = "storefront/sequra-checkout.0123456789ab.js"
SECOND = "storefront/sequra-checkout.abcdefabcdef.js"
OLD_FORM = "storefront/sequra-form.0123456789ab.js"  # as it was called at first
# What an image holds, by the list of what goes into it.
IN_AN_IMAGE = [
    line.removeprefix("!").strip()
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line.startswith("!") and (ROOT / line[1:].strip()).is_dir()
]


@pytest.fixture
def other_release(tmp_path: Path) -> Path:
    """The app with other checkout scripts, collected as an image has them.

    It serves what the release before there were two files serves: an upgrade may be taken back.
    """
    for name in IN_AN_IMAGE:
        # Other test processes write bytecode meanwhile: such a file may vanish before it is read.
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    module = tmp_path / "stores/registration/checkout_script.py"
    source = module.read_text()
    pattern = r"storefront/sequra-(checkout|form|widgets)\.[0-9a-f]{12}\.js"
    assert source.count(pattern) == 1
    module.write_text(source.replace(pattern, ONE_FILE))
    for file in (checkout_script.FILE, checkout_script.FORM):
        with (tmp_path / "static" / file).open("a") as script:
            script.write("window.anotherRelease = true;\n")
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
    subprocess.run(command, cwd=tmp_path, env=os.environ, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def two_releases(
    transactional_db: None, other_release: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """The addresses of both, on one database."""
    name = str(connection.settings_dict["NAME"])
    database = create_database(os.environ["DATABASE_URL"], name)
    running: list[Process] = []
    addresses = []
    for folder in (ROOT, other_release):
        port = free_port()
        env = environment(DATABASE_URL=database, APP_URL=f"http://127.0.0.1:{port}")
        process = web_process(tmp_path_factory.mktemp("release"), env, port)
        process.cwd = folder
        process.start()
        running.append(process)
        addresses.append(f"http://127.0.0.1:{port}")
    for process in running:
        process.wait_ready()
    yield addresses
    for process in running:
        process.stop()


def keep(folder: Path) -> list[str]:
    """What a worker of this release does before it registers; returns the scripts' names."""
    code = (
        "import django; django.setup(); from stores.registration import checkout_script as s;"
        "s.keep_version(); print(s.file_name(), s.file_name(s.FORM))"
    )
    env = environment(
        DATABASE_URL=create_database(
            os.environ["DATABASE_URL"], str(connection.settings_dict["NAME"])
        )
    )
    kept = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    return kept.stdout.split()


def sri(body: bytes) -> str:
    return base64.b64encode(hashlib.sha384(body).digest()).decode()


def test_both_names_are_known_to_both_releases(
    two_releases: list[str], other_release: Path
) -> None:
    files = {name: folder for folder in (ROOT, other_release) for name in keep(folder)}
    assert len(files) == 4
    for name, folder in files.items():
        file = (folder / "staticfiles" / name).read_bytes()
        answers = [requests.get(f"{one}/static/{name}", timeout=60) for one in two_releases]
        assert [sri(answer.content) for answer in answers] == [sri(file)] * 2
        own, others = (
            {
                header: answer.headers.get(header)
                for header in (
                    "Content-Type",
                    "Cache-Control",
                    "Access-Control-Allow-Origin",
                    "Content-Encoding",
                    "Vary",
                    "X-Content-Type-Options",
                )
            }
            for answer in answers
        )
        assert own == others
        assert own["Cache-Control"] == "max-age=315360000, public, immutable"
        assert own["Access-Control-Allow-Origin"] == "*"


def test_a_name_is_stored_before_bigcommerce_is_given_it(installed: Store, world: World) -> None:
    ScriptVersion.objects.all().delete()
    world.scripts.clear()
    registration.register(installed)

    assert OURS in world.scripts[0]["src"]
    assert {kept.name: bytes(kept.body) for kept in ScriptVersion.objects.all()} == {
        OURS: checkout_script._body(),
        FORM: checkout_script._body(checkout_script.FORM),
        WIDGETS: checkout_script._body(checkout_script.WIDGETS),
    }


@pytest.mark.django_db
def test_what_was_never_a_version_of_ours_is_unknown(client: Client) -> None:
    for name in (OLD, OLD_FORM, "storefront/other.0123456789ab.js", "storefront/%00.js"):
        assert client.get(f"/static/{name}").status_code == 404
    assert client.post(f"/static/{OLD}").status_code == 405


@pytest.mark.django_db
def test_old_versions_stay_while_a_store_names_them_and_for_ninety_days() -> None:
    now = timezone.now()
    unused = "storefront/sequra-form.ba9876543210.js"
    for name, days, body in (
        ("named", 400, b'["sequra-checkout.abcdefabcdef.js",""]'),
        (SECOND, 400, b""),
        ("named before", 400, b'["sequra-form.0123456789ab.js",""]'),
        (OLD_FORM, 400, b""),
        ("young", 89, b""),
        ("old", 91, b'["sequra-form.ba9876543210.js",""]'),
        (unused, 91, b""),
        ("of nobody", 91, b""),
        ("named for widgets", 400, b""),
    ):
        ScriptVersion.objects.create(name=name, body=body, current_at=now - timedelta(days=days))
    Store.objects.create(hash="abc123", script_file="named")
    Store.objects.create(hash="def456", script_file="named before")
    Store.objects.create(hash="widgets", widget_script_file="named for widgets")
    Store.objects.create(hash="gone", script_file="of nobody", state=Store.State.UNINSTALLED)
    tasks.maintain_stores()

    kept = set(ScriptVersion.objects.values_list("name", flat=True))
    assert kept == {"named", SECOND, "named before", OLD_FORM, "young", OURS, FORM} | {
        "named for widgets", WIDGETS,
    }  # fmt: skip
