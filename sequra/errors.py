"""The two ways a call to SeQura fails: it said no, or it could not say anything."""

from typing import ClassVar

from transport import errors


class Rejected(errors.Rejected):
    """SeQura refused, in its own words. 401 and 403 are `is_unauthorised`."""

    system: ClassVar[str] = "SeQura"


class Unavailable(errors.Unavailable):
    """SeQura gave no usable answer: try again later."""
