"""`python -m tests.payloads.rewrite_orders` rewrites the order updates: the diff is to be read."""

import json

from tests.payloads.orders_golden import folders, update_of


def rewrite() -> None:
    for folder in folders():
        text = json.dumps(update_of(folder), indent=2, ensure_ascii=False)
        (folder / "order_update.json").write_text(text + "\n")


if __name__ == "__main__":
    rewrite()
