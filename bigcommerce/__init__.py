"""BigCommerce's APIs, as far as the app speaks them. No Django in here."""
