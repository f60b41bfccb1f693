"""`manage.py support_bundle STORE_HASH [--order N]`: what a case for support needs, as JSON.

`stores.privacy.data_map` names the columns with personal data and the secrets. There, each word is
replaced by a pseudonym: a keyed digest, the same wherever the word stands in the bundles of this
store, so that two rows about one person can be recognised as such. Amounts, states, dates and
references stay.
"""

import json
import os
import re
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import override

from panel.doctor import installation, known
from stores.encryption import EncryptedTextField, readable
from stores.management import STORE_HELP, add_examples, log_to_standard_error, store_of
from stores.models import Store
from stores.privacy.data_map import data_map
from stores.privacy.people import Person, find
from stores.privacy.personal_data import TABLES


class Command(BaseCommand):
    help = (
        "Write what a support case needs as JSON: the doctor's findings, and the rows of a store or"
        " of one of its orders. Names, addresses, telephone numbers, e-mail addresses and other"
        " personal text are replaced by pseudonyms that stay the same for this store; secrets are"
        " left out. Nothing is sent anywhere."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(
            parser,
            "support_bundle abc123 --output case.json",
            "support_bundle abc123 --order 250 | jq .tables",
        )
        parser.add_argument("store_hash", help=STORE_HELP)
        parser.add_argument(
            "--order", type=int, metavar="N", help="all rows about this BigCommerce order"
        )
        parser.add_argument(
            "--rows", type=int, default=50, help="the newest rows of each table at most (50)"
        )
        parser.add_argument(
            "--output",
            default="-",
            metavar="FILE",
            help="a new file that only its owner can read; - is standard output",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        store = store_of(options["store_hash"])
        with override("en"):
            found = bundle(store, options["order"], options["rows"])
        text = json.dumps(found, indent=2, ensure_ascii=False, default=str)
        if options["output"] == "-":
            self.stdout.write(text)
        else:
            _write(Path(options["output"]), text)


def _write(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


# Parts of addresses that open something, beside the secrets of the data map.
_OPENS = frozenset({"public_id", "token_digest"})
# About sessions and processes, not about the store's work.
_LEFT_OUT = frozenset({"stores.PanelSession", "stores.PanelUser"})
_HIDDEN = "‹secret›"
# Keys of documents whose values name things, not people. Not `state`: addresses have one, too.
_NAMES_A_THING = frozenset(
    # One text is easier to read than thirty quoted entries.
    "campaign category code country_code created_at currency event hash id language_code layout"  # noqa: SIM905
    " locale order_id order_ref_1 order_ref_2 orderId previous_status_id new_status_id producer"
    " product reference scope shop_id status status_id type".split()
)
_THING = re.compile(r"[\w./:+-]{1,64}")
_KEY = re.compile(r"[a-zA-Z][\w.]{0,39}|\d{1,19}")
_LONG_NUMBER = 10**8  # a telephone number rather than an amount
_WORD = re.compile(r"\w(?:[\w.+%@'’:/-]*\w)?")
# Vocabulary of error messages that identifies no person. Everything else is replaced.
_PLAIN = frozenset(
    # A list of so many words is read as text.
    "a accepted access account address already amount an and answer answered approved are as"  # noqa: SIM905
    " at be been before bigcommerce body by campaign cancelled cannot cart carts changed"
    " checkout code confirmed conflict connection country credentials currency customer date"
    " deleted delivery denied details different do does doesn't email empty error exceeds"
    " expired failed field fields for forbidden form found from get given has have host http"
    " in incomplete internal invalid invoice is isn't it item items json key limit line lines"
    " match merchant message method methods missing must name names needs_review no not of on"
    " on_hold only or order orders out parameter patch path payment payments phone post price"
    " product products put quantity quota reached reason reference refund refunded refused"
    " rejected request required response seconds sequra server shipment shipped shipping shop"
    " shopper should solicited state status store sum tax than that the this timeout to token"
    " too total totals unauthorized unavailable unchanged unexpected unknown unshipped update"
    " url value was were with without wrong".split()
)


@dataclass(frozen=True)
class _Pseudonyms:
    """The pseudonyms of one store."""

    store: str

    def word(self, text: str) -> str:
        """Return the pseudonym of a word, whatever its case."""
        digest = salted_hmac(f"panel.support_bundle {self.store}", text.casefold()).hexdigest()
        return f"~{digest[:8]}"

    def text(self, text: str) -> str:
        """Replace each word that is not plain."""
        return _WORD.sub(
            lambda found: found[0] if found[0].lower() in _PLAIN else self.word(found[0]), text
        )

    def document(self, value: Any, key: str = "") -> Any:
        """Replace the people in a JSON value: figures stay, and the names of things."""
        if isinstance(value, Mapping):
            return {self._key(name): self.document(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self.document(one, key) for one in value]
        if isinstance(value, str):
            names_a_thing = key in _NAMES_A_THING and _THING.fullmatch(value)
            return value if names_a_thing else self.text(value)
        if isinstance(value, int) and abs(value) >= _LONG_NUMBER and key not in _NAMES_A_THING:
            return self.word(str(value))
        return value

    def _key(self, name: str) -> str:
        return name if _KEY.fullmatch(name) else self.text(name)


def bundle(store: Store, order: int | None = None, rows: int = 50) -> dict[str, Any]:
    """Return the bundle of a store, its newest rows; or of one of its orders, all rows."""
    names = _Pseudonyms(store.hash)
    return {
        "version": settings.VERSION,
        "made_at": timezone.now(),
        "store": store.hash,
        "order": order,
        "installation": [asdict(one) for one in installation()],
        # Without their messages, which may quote what BigCommerce and SeQura answered.
        "findings": [
            {"check": one.check, "state": one.state, "remedy": one.remedy} for one in known(store)
        ],
        "tables": {
            label: [_row(row, names) for row in chosen]
            for label, chosen in _tables(store, order, rows)
        },
    }


def _tables(store: Store, order: int | None, rows: int) -> Iterator[tuple[str, QuerySet[Model]]]:
    """Yield the rows of each table: the store itself and its set-up, and what happened."""
    found = find(Person(store=store, order=order)) if order is not None else {}
    for label, table in TABLES.items():
        model = apps.get_model(label)
        owner = "pk" if label == "stores.Store" else table.owner
        if label in _LEFT_OUT or not _has(model, owner.partition("__")[0]):
            continue
        chosen = QuerySet[Model](model).filter(**{owner: store.pk}).order_by("-pk")
        if order is not None and table.people:
            yield label, chosen.filter(pk__in=found.get(label, []))
        else:
            yield label, chosen[:rows]


def _has(model: type[Model], name: str) -> bool:
    return name == "pk" or name in {field.name for field in model._meta.get_fields()}


def _row(row: Model, names: _Pseudonyms) -> dict[str, Any]:
    return {field.attname: _value(row, field, names) for field in row._meta.concrete_fields}


def _value(row: Model, field: Any, names: _Pseudonyms) -> Any:
    if isinstance(field, EncryptedTextField):
        return _HIDDEN if readable(row, field.name) else ""
    value = getattr(row, field.attname)
    if field.name in _OPENS:
        return names.word(str(value))
    if f"{row._meta.label}.{field.name}" in _mapped():
        return names.document(value)
    return value


@cache
def _mapped() -> frozenset[str]:
    return frozenset(one.field for one in data_map())
