"""One HTTP request to somebody else's API, and what its failures mean. No Django in here."""

__version__ = "0.1.0"  # what the other systems see; pyproject.toml has the same
