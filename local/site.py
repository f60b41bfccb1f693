"""A hook of mkdocs: every decision in docs/adr has its place in the site's navigation."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Append the decisions, by number and title, to the developers' part."""
    files = sorted((Path(config.docs_dir) / "adr").glob("*.md"))
    titles = {file.read_text().partition("\n")[0].removeprefix("# "): file for file in files}
    pages = [{title: f"adr/{file.name}"} for title, file in titles.items()]
    (part,) = (one["Developers"] for one in config.nav if "Developers" in one)
    part.append({"Decisions": pages})
    return config
