"""Reading the answer to a code."""

import re
from typing import Any, cast

from bigcommerce.documents import TokenGrant, User

CONTEXT = re.compile(r"stores/[a-z0-9]+")


def read_grant(document: Any) -> TokenGrant | None:
    """None when it is not what the documentation promises."""
    match document:
        case {"access_token": str(token), "context": str(context)} if CONTEXT.fullmatch(context):
            pass
        case _:
            return None
    return TokenGrant(
        access_token=token,
        scope=str(document.get("scope") or ""),
        context=context,
        user=cast(User, document.get("user") or {}),
        owner=cast(User, document.get("owner") or {}),
        account_uuid=str(document.get("account_uuid") or ""),
    )
