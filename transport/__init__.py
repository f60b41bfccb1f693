"""One HTTP request to another system's API, and the meaning of its failures. Without Django."""

__version__ = "0.1.0"  # the only place: settings, pages and pyproject.toml read it here
