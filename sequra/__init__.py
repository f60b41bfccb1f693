"""SeQura's merchant API and its documents. Without Django."""
