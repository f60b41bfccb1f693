"""The two ways a call to another system fails: it said no, or it could not say anything.

`bigcommerce.errors` and `sequra.errors` name the system; everybody catches theirs.
"""

import http.client
from typing import ClassVar


class Rejected(Exception):
    """The system refused. Repeating the request will not help; its words are for the merchant.

    `status` is the HTTP status, `messages` what the body said (may be empty), `request_id` the id
    their support asks for, `call` the request in short, such as "PUT /stores/abc/v2/orders/250",
    `body` the beginning of what came back.
    """

    system: ClassVar[str] = "The other system"

    def __init__(
        self,
        status: int,
        messages: list[str] | None = None,
        request_id: str = "",
        call: str = "",
        body: str = "",
    ) -> None:
        super().__init__(status, messages, request_id, call, body)
        self.status = status
        self.messages = messages or []
        self.request_id = request_id
        self.call = call
        self.body = body

    @property
    def message(self) -> str:
        """What the system said, in one line; its status in words when it said nothing."""
        if not self.messages:
            return http.client.responses.get(self.status, f"HTTP {self.status}")
        *first, last = self.messages
        return ". ".join([*(message.rstrip(".") for message in first), last])

    @property
    def is_unauthorised(self) -> bool:
        """Our credentials are not (or no longer) good for this: pause, do not hammer."""
        return self.status in (401, 403)

    def __str__(self) -> str:
        return f"{self.system} refused {self.call or 'the request'} ({self.status}): {self.message}"


class Unavailable(Exception):
    """The system gave no usable answer. Trying again later is right.

    `retry_after` is in seconds, when a time was named. `maybe_done` is true when the request may
    have had its effect all the same (it was sent, or answered with a 5xx): look before repeating
    anything that must not happen twice. A request that only reads never has an effect.
    """

    def __init__(
        self, reason: str, retry_after: float | None = None, maybe_done: bool = False
    ) -> None:
        super().__init__(reason, retry_after, maybe_done)
        self.reason = reason
        self.retry_after = retry_after
        self.maybe_done = maybe_done

    def __str__(self) -> str:
        return self.reason
