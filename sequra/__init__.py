"""SeQura's merchant API, carts and money. No Django in here."""

__version__ = "0.1.0"
