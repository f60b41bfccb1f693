"""The two ways a call to SeQura fails: it rejected the request, or gave no usable answer."""

from typing import ClassVar

from transport import errors


class Rejected(errors.Rejected):
    """SeQura rejected the request. 401 and 403 are `is_unauthorised`."""

    system: ClassVar[str] = "SeQura"


class Unavailable(errors.Unavailable):
    """SeQura gave no usable answer. Retry later."""
