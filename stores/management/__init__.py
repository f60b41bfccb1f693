"""What the commands share: the store that they are about, their examples, their log lines."""

import logging
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

from django.core.management.base import CommandError

from stores.models import Store

STORE_HELP = "the store's hash, as `manage.py stores` lists it"


def add_examples(parser: ArgumentParser, *examples: str) -> None:
    """Show these command lines below the help."""
    title = "examples" if len(examples) > 1 else "example"
    lines = [f"  python manage.py {example}" for example in examples]
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = "\n".join([f"{title}:", *lines])


def store_of(store_hash: str) -> Store:
    """Return the store. Raise CommandError when there is none with this hash."""
    store = Store.objects.filter(hash=store_hash).first()
    if store is None:
        raise CommandError(f"there is no store {store_hash}")
    return store


def log_to_standard_error() -> None:
    """Leave standard output to what the command was asked for; log lines go there otherwise."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
