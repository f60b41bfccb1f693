"""The two ways a call to BigCommerce fails: it rejected the request, or gave no usable answer."""

from typing import ClassVar

from transport import errors


class Rejected(errors.Rejected):
    """BigCommerce rejected the request. 401 and 403 are `is_unauthorised`."""

    system: ClassVar[str] = "BigCommerce"


class Unavailable(errors.Unavailable):
    """BigCommerce gave no usable answer. Retry later."""
