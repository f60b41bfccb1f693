"""Imports between our modules run in no circle, not even inside functions."""

from graphlib import TopologicalSorter

import grimp

from local.servers import ROOT


def test_no_modules_import_each_other_in_a_circle() -> None:
    packages = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    graph = grimp.build_graph(*sorted(set(packages) - {"tests"}), cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    assert "orders.queue.worker" in imported["orders.tasks"]
    tuple(TopologicalSorter(imported).static_order())  # a CycleError names the circle
