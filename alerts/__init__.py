"""Email to addresses that the merchant confirmed, when something needs a person."""
