"""SeQura's merchant API, carts and money. No Django in here."""
