"""axe-core on a page: WCAG 2.2 A and AA, and its best practices."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """([scope, tags, without]) => axe.run(scope || document, {
    runOnly: {type: "tag", values: tags},
    rules: Object.fromEntries(without.map(rule => [rule, {enabled: false}])),
    resultTypes: ["violations"],
})"""


def violations(page: Page, scope: str = "", without: tuple[str, ...] = ()) -> list[str]:
    """What axe finds, a line each: the rule, where, and what it says."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate(RUN, [scope, TAGS, list(without)])
    return [
        f"{violation['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
