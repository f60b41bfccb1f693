"""How a step of `confirm` ends when it does not simply succeed."""


class Refused(Exception):
    """This solicitation will never become an order: definitive, and stored with its reason.

    `status` is the HTTP status of the system that refused, if one did.
    """

    def __init__(self, code: str, detail: str = "", status: int = 0) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail, self.status = code, detail, status


class Later(Exception):
    """Not now: the step is tried again after so many seconds (None: with back-off).

    `is_logged`: the merchant finds it in the transaction log already.
    """

    def __init__(self, why: str, seconds: float | None = None, *, is_logged: bool = False) -> None:
        super().__init__(why)
        self.seconds, self.is_logged = seconds, is_logged
