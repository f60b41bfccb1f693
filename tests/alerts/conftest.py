"""A mail server on a port of its own, which can refuse, and what it received."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core.mail.backends import smtp
from pytest_django.fixtures import Settings

from local.processes import free_port
from stores.models import Store
from tests.panel.test_settings import Panel
from tests.panel.world import filled_store


class MailServer:
    """Keeps what it accepts. `answers` are what the next recipients and messages get instead."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to_recipients: list[str] = []
        self.before_answer: list[Any] = []  # called once each, when a message is accepted

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, _server: Any, _session: Any, envelope: Any, *args: Any
    ) -> str:
        if self.to_recipients:
            return self.to_recipients.pop(0)
        envelope.rcpt_tos.append(args[0])
        return "250 OK"

    # aiosmtpd calls it by this name.
    async def handle_DATA(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        assert [str(mail["To"])] == envelope.rcpt_tos
        self.mails.append(mail)
        if self.before_answer:
            self.before_answer.pop(0)()
        return "250 OK"

    def take(self) -> list[EmailMessage]:
        """Return what has arrived since the last time."""
        found, self.mails = self.mails, []
        return found


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    server = MailServer()
    controller = Controller(server, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_URL = f"smtp://127.0.0.1:{controller.port}"
    settings.EMAIL_BACKEND = f"{smtp.__name__}.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    yield server
    controller.stop()


@pytest.fixture
def store(db: None) -> Store:
    """A store with three refusals and a correction to decide, and without quiet hours."""
    return filled_store(alerts_quiet_from=0, alerts_quiet_until=0)


@pytest.fixture
def panel(store: Store) -> Panel:
    return Panel(store)


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def link_of(mail: EmailMessage, action: str) -> str:
    """The path of a link in the mail, which its text and its HTML share."""
    (found,) = {*re.findall(rf"https?://[^/\s]+(/alerts/[0-9a-f-]{{36}}/{action})", text_of(mail))}
    assert found in text_of(mail, "html")
    return str(found)


def subject_of(mail: EmailMessage) -> str:
    """A subject that is encoded begins on the second line of its header."""
    return str(mail["Subject"]).strip()
