"""The two ways a call to BigCommerce fails: it said no, or it could not say anything."""

from typing import ClassVar

from transport import errors


class Rejected(errors.Rejected):
    """BigCommerce refused, in its own words. 401 and 403 are `is_unauthorised`."""

    system: ClassVar[str] = "BigCommerce"


class Unavailable(errors.Unavailable):
    """BigCommerce gave no usable answer: try again later."""
