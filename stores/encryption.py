"""Encrypt stored secrets with Fernet: the first of ENCRYPTION_KEYS encrypts, each one decrypts.

A row is read with its tokens; a secret is decrypted on first access. So a row whose secret no key
decrypts can still be selected, listed and saved, and only what needs that secret fails.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField

log = structlog.get_logger(__name__)


class Undecryptable(Exception):
    """A stored secret was encrypted with a key that ENCRYPTION_KEYS no longer holds."""


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(secret: str) -> str:
    """Return the secret as a Fernet token; an empty secret stays empty."""
    if not secret:
        return ""
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(secret.encode()).decode()


def decrypt(token: str) -> str:
    """Return the secret inside a Fernet token. Raise Undecryptable when no key fits."""
    if not token:
        return ""
    try:
        return _fernet(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeError) as error:
        raise Undecryptable("no key in ENCRYPTION_KEYS decrypts this value") from error


class _Sealed:
    """A token as it came from the database, not decrypted yet."""

    def __init__(self, token: str) -> None:
        self.token = token


_stays_sealed = ContextVar("_stays_sealed", default=False)


@contextmanager
def _as_tokens() -> Iterator[None]:
    """Let attributes return tokens meanwhile: they are copied, not needed."""
    before = _stays_sealed.set(True)
    try:
        yield
    finally:
        _stays_sealed.reset(before)


class _Secret(DeferredAttribute):
    """Decrypt on first access, and keep the result on the instance."""

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or not isinstance(value, _Sealed) or _stays_sealed.get():
            return value
        secret = decrypt(value.token)
        instance.__dict__[self.field.attname] = secret
        return secret

    def __set__(self, instance: models.Model, value: Any) -> None:
        """Make this a data descriptor: else the instance's own value would hide it."""
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(TextField):
    """A text column that holds a Fernet token and reads as the secret itself."""

    descriptor_class = _Secret

    def from_db_value(self, value: str | None, *_: Any) -> _Sealed | None:
        return None if value is None else _Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Write back what was never decrypted as it is."""
        value = model_instance.__dict__.get(self.attname)
        return value if isinstance(value, _Sealed) else super().pre_save(model_instance, add)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, _Sealed):
            return value.token
        return None if value is None else encrypt(str(value))


class ModelWithSecrets(models.Model):
    """A model with encrypted columns: reading a row again decrypts none of them."""

    class Meta:
        abstract = True

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        with _as_tokens():
            super().refresh_from_db(*args, **kwargs)


def readable(row: models.Model, name: str) -> str:
    """Return the secret of this row; empty (and logged) when no key decrypts it."""
    try:
        return str(getattr(row, name))
    except Undecryptable:
        # A traceback adds nothing to a known cause.
        log.error("secret_undecryptable", table=row._meta.db_table, row=row.pk, column=name)  # noqa: TRY400
        return ""
