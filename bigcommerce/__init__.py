"""BigCommerce's APIs, as far as the app speaks them. No Django in here."""

__version__ = "0.1.0"
