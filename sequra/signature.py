"""The signature that each attempt sends to SeQura and expects back.

SeQura does not sign its notifications. It echoes the `notification_parameters` of the solicited
order, so each attempt carries its own secret: stored with the attempt, never recomputed, because a
password changed meanwhile must not orphan open orders.
https://docs.sequra.com/docs/start-solicitation
"""

import hmac


def signature_matches(stored: str, echoed: str | None) -> bool:
    """Return whether this is the attempt's signature, in constant time; an empty one never is."""
    if not stored or not echoed:
        return False
    return hmac.compare_digest(
        stored.encode("utf-8", "surrogatepass"), echoed.encode("utf-8", "surrogatepass")
    )
