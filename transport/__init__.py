"""One HTTP request to somebody else's API, and what its failures mean. No Django in here."""

__version__ = "0.1.0"  # the only place: settings, pages and pyproject.toml read it here
