"""A release only adds to the database: what the linter of migrations finds, and what it lets be."""

import importlib.util
import sys
from pathlib import Path

import pytest
from django.db.migrations import Migration
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import CharField, IntegerField

from local import migration_check

BEFORE = ProjectState()
BEFORE.add_model(
    ModelState(
        "stores",
        "Thing",
        [
            ("id", IntegerField(primary_key=True)),
            ("name", CharField(max_length=10)),
            ("note", CharField(max_length=10, null=True)),
            ("count", IntegerField(db_default=0)),
        ],
    )
)


def migration(folder: Path, operation: str, comment: str = "# nothing to say") -> Migration:
    """A migration as it stands in a file."""
    path = folder / "0009_next.py"
    path.write_text(
        "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        "    operations = [\n"
        f"        {comment}\n"
        f"        {operation},\n"
        "    ]\n"
    )
    spec = importlib.util.spec_from_file_location("next_migration", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where `inspect` looks for the file of a class
    spec.loader.exec_module(module)
    made: Migration = module.Migration("0009_next", "stores")
    return made


def found(folder: Path, operation: str, comment: str = "# nothing to say") -> list[str]:
    return list(migration_check.complaints(migration(folder, operation, comment), BEFORE))


REFUSED = {
    "migrations.DeleteModel('Thing')": "it drops what",
    "migrations.RemoveField('thing', 'name')": "it drops what",
    "migrations.RenameField('thing', 'name', 'title')": "it renames what",
    "migrations.RenameModel('Thing', 'Object')": "it renames what",
    "migrations.AlterModelTable('thing', 'things')": "it renames what",
    "migrations.AddField('thing', 'new', models.IntegerField(default=0))": "cannot fill it",
    "migrations.AddField('thing', 'new', models.CharField(max_length=9))": "cannot fill it",
    "migrations.AlterField('thing', 'note', models.CharField(max_length=10))": "still writes null",
    "migrations.AlterField('thing', 'name', models.CharField(max_length=9))": "another type",
    "migrations.AlterField('thing', 'name', models.IntegerField())": "another type",
    "migrations.AlterField('thing', 'count', models.IntegerField())": "relies on its db_default",
    "migrations.RunSQL('ALTER TABLE a ALTER b SET NOT NULL')": "its SQL contains SET NOT NULL",
    "migrations.RunSQL('alter table a drop column b')": "its SQL contains drop column",
    "migrations.SeparateDatabaseAndState([migrations.RemoveField('thing', 'name')])": "it drops",
}
ALLOWED = [
    "migrations.AddField('thing', 'new', models.IntegerField(null=True))",
    "migrations.AddField('thing', 'new', models.IntegerField(db_default=0))",
    "migrations.AlterField('thing', 'name', models.CharField(max_length=20))",
    "migrations.AlterField('thing', 'name', models.CharField(max_length=10, blank=True))",
    "migrations.CreateModel('Other', [('id', models.IntegerField(primary_key=True))])",
    "migrations.AddIndex('thing', models.Index(fields=['name'], name='thing_name'))",
    "migrations.RunSQL('CREATE INDEX a ON b (c)')",
]


@pytest.mark.parametrize(("operation", "words"), REFUSED.items())
def test_what_the_version_before_could_not_live_with_is_refused(
    tmp_path: Path, operation: str, words: str
) -> None:
    (told,) = found(tmp_path, operation)
    assert words in told
    assert told.startswith("stores/0009_next: ")


@pytest.mark.parametrize("operation", REFUSED)
def test_a_reason_above_the_operation_allows_it(tmp_path: Path, operation: str) -> None:
    assert found(tmp_path, operation, "# contract: no version since 0.3 reads it") == []
    assert found(tmp_path, operation, "# contract: yes") != []


@pytest.mark.parametrize("operation", ALLOWED)
def test_what_only_adds_is_allowed(tmp_path: Path, operation: str) -> None:
    assert found(tmp_path, operation) == []


def test_our_own_migrations_only_expand() -> None:
    assert migration_check.all_complaints() == []


def test_a_field_is_judged_by_what_it_was_a_line_before(tmp_path: Path) -> None:
    widened = (
        "migrations.AlterField('thing', 'name', models.CharField(max_length=20)),\n"
        "        migrations.AlterField('thing', 'name', models.CharField(max_length=15))"
    )
    (told,) = found(tmp_path, widened)
    assert "another type" in told
