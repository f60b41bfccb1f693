"""Secrets at rest: Fernet tokens, the first of ENCRYPTION_KEYS encrypts and every one decrypts."""

from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField


class Undecryptable(Exception):
    """A stored secret was encrypted with a key that ENCRYPTION_KEYS no longer holds."""


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(secret: str) -> str:
    """The secret as a Fernet token; an empty secret stays empty."""
    if not secret:
        return ""
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(secret.encode()).decode()


def decrypt(token: str) -> str:
    """The secret inside a Fernet token. Raises Undecryptable when no key fits."""
    if not token:
        return ""
    try:
        return _fernet(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise Undecryptable("no key in ENCRYPTION_KEYS decrypts this value") from error


class EncryptedTextField(TextField):
    """A text column that holds a Fernet token and reads as the secret itself."""

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else encrypt(str(value))
