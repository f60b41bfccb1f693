"""Imports between our modules run in no circle, and nothing in them is there for tests alone."""

import ast
import re
from collections import Counter, defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from local.servers import ROOT

pytestmark = pytest.mark.slow
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
PRODUCT = PACKAGES - {"local", "sandbox"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*sorted(PACKAGES), cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    assert "orders.sync.worker" in imported["orders.tasks"]
    tuple(TopologicalSorter(imported).static_order())  # a CycleError names the circle


# What Django, Celery, requests and the standard library call by a name of theirs.
HOOKS = re.compile(
    r"__\w+__|clean_\w+|has_\w+_permission|handle_starttag|process_view|get_fieldsets|lookups"
    r"|from_db_value|build_response|get_prep_value|get_search_results|reject|emit|generate_trace_id|\w+(Admin|Config)"
    r"|db_for_(read|write)|allow_(relation|migrate)"
)


def test_the_product_uses_every_function_class_and_method_of_its_own() -> None:
    sources = [path.read_text() for name in PRODUCT for path in (ROOT / name).rglob("*.py")]
    callers = [path.read_text() for path in (ROOT / "templates").rglob("*.*")]
    callers += [path.read_text() for path in (ROOT / "local").glob("*.py")]
    used = Counter(re.findall(r"\w+", "\n".join([*sources, *callers])))
    defined = {
        node.name
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.decorator_list
    }

    assert len(defined) > 1000
    assert [name for name in sorted(defined) if used[name] < 2 and not HOOKS.fullmatch(name)] == []


# Frameworks find what stands in these by itself.
FOUND_BY_NAME = {
    "admin.py", "apps.py", "documents.py", "models.py", "settings.py", "tasks.py", "urls.py"
}  # fmt: skip
# Every module has a logger of its own; a server asks for `application`.
FOUND_BY_TOOLS = {"log", "application"}


def public_names(source: str) -> set[str]:
    """Functions, classes and constants of a module that carry no underscore."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.decorator_list:
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id for t in targets for one in ast.walk(t) if isinstance(one, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def foreign_names(source: str) -> set[str]:
    """What a module imports, asks of another one by a dot, or names in a text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(re.findall(r"\w+", node.value))
    return found


def test_a_name_that_no_other_module_uses_is_private() -> None:
    sources = {
        path: path.read_text() for path in ROOT.glob("*/**/*.py") if ".venv" not in str(path)
    }
    users: dict[str, set[Path]] = defaultdict(set)
    for path, source in sources.items():
        for name in foreign_names(source):
            users[name].add(path)
    rooms = [
        path
        for path in sources
        if path.relative_to(ROOT).parts[0] in PRODUCT
        and path.name not in FOUND_BY_NAME
        and not {"migrations", "commands", "templatetags"} & {*path.parts}
    ]
    names = {(path, name) for path in rooms for name in public_names(sources[path])}

    assert len(names) > 500
    assert [
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in sorted(names)
        if not users[name] - {path} and name not in FOUND_BY_TOOLS
    ] == []
