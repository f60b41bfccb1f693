"""Alerts by e-mail, through a real SMTP server."""
