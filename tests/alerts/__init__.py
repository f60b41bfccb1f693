"""Alerts by email, through a real SMTP server."""
