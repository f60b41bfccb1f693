"""A pretend SeQura: the merchant API, the identification form, notifications and a portal."""
