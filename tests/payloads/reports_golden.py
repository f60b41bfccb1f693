"""The golden cases of the delivery report, a folder each.

`shipped.json` (what SeQura last accepted of each order) and, where there are statistics,
`orders.json` (`GET /v2/orders`) → `report.json`. `settings` in `shipped.json` is what the merchant
decided and what we know of his orders.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from payloads.reports import Ours, Shipped, delivery_report, is_recent, row_of, sort_out, statistic

CASES = Path(__file__).with_name("reports")
PLATFORM = {
    "name": "BigCommerce",
    "version": "v3",
    "plugin_version": "1.0.0",
    "uname": "Linux x86_64",
    "db_name": "postgresql",
    "db_version": "16.4",
}


def folders() -> list[Path]:
    return [path for path in sorted(CASES.iterdir()) if path.is_dir()]


def report_of(folder: Path) -> dict[str, Any]:
    given = json.loads((folder / "shipped.json").read_text())
    told = sort_out(Shipped(**one) for one in given["orders"])
    report = delivery_report(
        "demo_es",
        told.orders,
        platform=PLATFORM,
        broken_orders=told.broken_orders,
        statistics=statistics_of(folder, given.get("settings", {})),
    )
    return {"report": report, "problems": {str(at): why for at, why in told.broken.items()}}


def statistics_of(folder: Path, settings: dict[str, Any]) -> list[dict[str, Any]] | None:
    path = folder / "orders.json"
    if not path.exists():
        return None
    now = datetime.fromisoformat(settings["now"])
    ours = {number: Ours(**known) for number, known in settings.get("ours", {}).items()}
    rows = {str(order["id"]): row_of(order) for order in json.loads(path.read_text())}
    return [
        statistic(number, row, ours.get(number), settings.get("without", ()))
        for number, row in rows.items()
        if row and is_recent(row, now)
    ]


def rewrite() -> None:
    for folder in folders():
        text = json.dumps(report_of(folder), indent=2, ensure_ascii=False)
        (folder / "report.json").write_text(text + "\n")


if __name__ == "__main__":
    rewrite()
