"""The two ways a call to another system fails: it rejected the request, or gave no usable answer.

`bigcommerce.errors` and `sequra.errors` name the system; callers catch those classes.
"""

import http.client
from typing import ClassVar


class Rejected(Exception):
    """The system rejected the request. A repetition will not help; `message` is for the merchant.

    `status` is the HTTP status, `messages` the messages in the body (may be empty), `request_id`
    the id that the system's support asks for, `call` the request in short, such as "PUT
    /stores/abc/v2/orders/250", `body` the beginning of the body.
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
        """Return the system's message in one line; the name of the status when it sent none."""
        if not self.messages:
            return http.client.responses.get(self.status, f"HTTP {self.status}")
        *first, last = self.messages
        return ". ".join([*(message.rstrip(".") for message in first), last])

    @property
    def is_unauthorised(self) -> bool:
        """Return whether the credentials are not (or no longer) valid for this call."""
        return self.status in (401, 403)

    def __str__(self) -> str:
        return f"{self.system} refused {self.call or 'the request'} ({self.status}): {self.message}"


class Unavailable(Exception):
    """The system gave no usable answer. Retry later.

    `retry_after` is in seconds, if the system sent a time. `maybe_done` is true when the request
    may have had its effect (it was sent, or answered with a 5xx): check before repeating anything
    that must not happen twice. A request that only reads never has an effect.
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
