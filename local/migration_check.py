"""`make lint`: migrations only expand, so that the version before runs beside the new schema.

During a deploy, and after a rollback, old processes read and write tables that are migrated
already. So a release adds; what is no longer used goes in a later one. Refused are operations that
drop or rename a table or column, that change a column's type or narrow it, and columns that an old
INSERT, which does not name them, cannot fill. Where one is right after all, a comment above the
operation gives the reason: `# contract: no version since 0.3 reads this column`.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.db import NotSupportedError, connection
from django.db.migrations import Migration
from django.db.migrations import operations as ops
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Field, GeneratedField, ManyToManyField
from django.db.models.fields import NOT_PROVIDED

OURS = ("alerts", "orders", "payments", "stores", "transaction_log")
DROPS = (ops.DeleteModel, ops.RemoveField)
RENAMES = (ops.RenameField, ops.RenameModel, ops.AlterModelTable)
SQL = re.compile(
    r"\bDROP\s+(?:TABLE|COLUMN)\b|\bRENAME\b|\bSET\s+NOT\s+NULL\b|\bALTER\s+(?:COLUMN\s+)?\S+\s+TYPE\b",
    re.IGNORECASE,
)
REASON = re.compile(r"#\s*contract: \S.{9,}")


def complaints(migration: Migration, before: ProjectState) -> Iterator[str]:
    """Yield what in a migration an older version could not live with."""
    if migration.initial:
        return
    reasons = reasons_in(migration)
    state = before.clone()
    for number, operation in enumerate(migration.operations):
        for objection in objections(operation, migration.app_label, state):
            if not reasons[number]:
                yield f"{migration.app_label}/{migration.name}: {operation.describe()}: {objection}"
        operation.state_forwards(migration.app_label, state)


def objections(operation: Operation, app: str, state: ProjectState) -> Iterator[str]:
    """Yield why an older version could not live with this operation."""
    if isinstance(operation, DROPS):
        yield "it drops what the version before still reads"
    elif isinstance(operation, RENAMES):
        yield "it renames what the version before still reads"
    elif isinstance(operation, ops.AddField):
        yield from _unfillable(operation.field)
    elif isinstance(operation, ops.AlterField):
        models = state.models[app, operation.model_name_lower]
        yield from _narrower(models.fields[operation.name], operation.field)
    elif isinstance(operation, ops.RunSQL):
        yield from (f"its SQL contains {found}" for found in SQL.findall(str(operation.sql)))
    elif isinstance(operation, ops.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from objections(inner, app, state)


def _unfillable(field: Any) -> Iterator[str]:
    is_filled = field.null or field.db_default is not NOT_PROVIDED
    if not is_filled and not isinstance(field, GeneratedField | ManyToManyField):
        yield "the version before cannot fill it: give it a db_default, or null=True"


def _narrower(old: Any, new: Any) -> Iterator[str]:
    if old.null and not new.null:
        yield "the version before still writes null"
    if _loses_default(old, new):
        yield "the version before relies on its db_default"
    if _type(old) != _type(new) and not _is_longer(old, new):
        yield "the version before writes another type"


def _loses_default(old: Any, new: Any) -> bool:
    had, has = (one.db_default is not NOT_PROVIDED for one in (old, new))
    return had and not has and not new.null


def _type(field: "Field[Any, Any]") -> str | None:
    try:
        return field.db_type(connection)
    except (AttributeError, NotSupportedError):  # a relation that the state has not resolved
        return type(field).__name__


def _is_longer(old: Any, new: Any) -> bool:
    return type(old) is type(new) and (new.max_length or 0) > (old.max_length or 0)


def reasons_in(migration: Migration) -> list[bool]:
    """Return for each operation whether a comment above it gives a reason."""
    source = Path(inspect.getfile(type(migration))).read_text()
    lines = source.splitlines()
    lists = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "operations"
        and isinstance(node.value, ast.List)
    ]
    if len(lists) != 1:
        return [False] * len(migration.operations)
    starts = [one.lineno - 1 for one in lists[0].elts]
    return [bool(REASON.search(lines[start - 1])) for start in starts]


def all_complaints() -> list[str]:
    """Return what is wrong with our migrations, in the order in which they run."""
    loader = MigrationLoader(None)
    plan = dict.fromkeys(
        one for leaf in loader.graph.leaf_nodes() for one in loader.graph.forwards_plan(leaf)
    )
    return [
        complaint
        for app, name in plan
        if app in OURS
        for complaint in complaints(
            loader.disk_migrations[app, name], loader.project_state((app, name), at_end=False)
        )
    ]


if __name__ == "__main__":
    django.setup()
    if found := all_complaints():
        sys.exit("\n".join(found))
    print("migrations: they only expand")
