"""Every command of ours explains each argument, and has an example that runs as written."""

import re
import shlex
import sys
from argparse import Action, ArgumentParser, _HelpAction, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from local.servers import ROOT

OURS = ("alerts", "orders", "panel", "payments", "stores", "transaction_log")
COMMANDS = sorted(name for name, app in get_commands().items() if app in OURS)
# They run for good, or beside others: their log lines are all they write.
PROCESSES = ("drain", "migrate", "work")
EXAMPLE = re.compile(r"^  python manage\.py (.+)$", re.MULTILINE)


def parser_of(name: str) -> ArgumentParser:
    return load_command_class(get_commands()[name], name).create_parser("manage.py", name)


def arguments(parser: ArgumentParser) -> Iterator[Action]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                yield from arguments(below)
        elif not isinstance(action, _HelpAction):
            yield action


def test_there_are_commands() -> None:
    assert {"doctor", "dry_run", "inbox", "reconcile", "store_settings", "stores"} <= {*COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_has_help(name: str) -> None:
    assert [one.dest for one in arguments(parser_of(name)) if not one.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_are_understood_by_the_command(name: str) -> None:
    parser = parser_of(name)
    examples = EXAMPLE.findall(parser.epilog or "")
    assert examples
    for example in examples:
        command, *given = shlex.split(example.partition(" | ")[0])
        assert command == name
        parser.parse_args(given)


class Redirected(Exception):
    """Log lines go to standard error from here on."""


@pytest.mark.parametrize("name", [one for one in COMMANDS if one not in PROCESSES])
def test_standard_output_is_left_to_the_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = load_command_class(get_commands()[name], name)

    def redirect() -> None:
        raise Redirected

    monkeypatch.setattr(sys.modules[command.__module__], "log_to_standard_error", redirect)
    with pytest.raises(Redirected):
        command.handle()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_operators_manual_names_the_command(name: str) -> None:
    text = Path(ROOT / "docs/operations.md").read_text()
    assert re.search(rf"python manage\.py {name}\b", text)
