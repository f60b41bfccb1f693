"""The signature an attempt gives to SeQura and expects back.

SeQura does not sign its notifications. It echoes the `notification_parameters` of the order it
was solicited with, so each attempt carries a secret of its own: stored with the attempt, never
recomputed, because a password changed meanwhile must not orphan open orders.
https://docs.sequra.com/docs/start-solicitation
"""

import hmac


def signature_matches(stored: str, echoed: str | None) -> bool:
    """Is this the attempt's signature? In constant time; an empty one never is."""
    if not stored or not echoed:
        return False
    return hmac.compare_digest(
        stored.encode("utf-8", "surrogatepass"), echoed.encode("utf-8", "surrogatepass")
    )
