"""One HTTP request to somebody else's API, and what its failures mean. No Django in here."""
