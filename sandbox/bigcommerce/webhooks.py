"""Webhooks: what happened in the store goes to the app's hooks, signed, sometimes twice or late.

`emit` is called where something changes; the events leave after the transaction has committed.
https://developer.bigcommerce.com/docs/integrations/webhooks
"""

import base64
import hashlib
import heapq
import hmac
import itertools
import json
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from django.db import close_old_connections, transaction

from sandbox import settings
from sandbox.bigcommerce.models import Document, Hook
from sandbox.calling import call
from sandbox.knobs import knobs

STORE_ID = "1025646"
BLOCKED_FOR = 3.0


@dataclass(order=True)
class Delivery:
    """One event on its way to one hook; compared by the time it is due."""

    due: float
    number: int
    hook_id: int = field(compare=False)
    scope: str = field(compare=False)
    body: bytes = field(compare=False)
    message_id: str = field(compare=False)
    attempt: int = field(default=0, compare=False)
    status: int | None = field(default=None, compare=False)
    error: str = field(default="", compare=False)

    def shown(self) -> Document:
        return {
            "n": self.number, "hook_id": self.hook_id, "scope": self.scope,
            "body": json.loads(self.body), "attempts": self.attempt, "status": self.status,
            "error": self.error,
        }  # fmt: skip


def event(scope: str, content: Document) -> Document:
    """The body of a webhook. The hash covers the data alone: equal events have equal hashes."""
    encoded = json.dumps(content, separators=(",", ":"))
    return {
        "scope": scope,
        "store_id": STORE_ID,
        "data": content,
        "hash": hashlib.sha1(encoded.encode(), usedforsecurity=False).hexdigest(),
        "created_at": int(time.time()),
        "producer": f"stores/{settings.STORE_HASH}",
    }


def matches(hook_scope: str, scope: str) -> bool:
    prefix, star, _ = hook_scope.partition("*")
    return scope.startswith(prefix) if star else hook_scope == scope


def emit(scope: str, content: Document) -> None:
    """Tell every active hook that wants `scope`, once the current transaction has committed."""
    body = json.dumps(event(scope, content), separators=(",", ":")).encode()
    transaction.on_commit(lambda: dispatcher.announce(scope, body))


def emit_order(order_id: int, channel_id: int, what: str, **more: Any) -> None:
    """An order event and its twin for the channel's hooks."""
    emit(f"store/order/{what}", {"type": "order", "id": order_id, **more})
    emit(f"store/channel/{channel_id}/order/{what}", {"order_id": order_id})


def signature(message_id: str, timestamp: int, body: bytes) -> str:
    """Standard Webhooks: the key is the client secret's bytes."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(settings.BIGCOMMERCE_CLIENT_SECRET.encode(), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(delivery: Delivery, hook: Hook) -> dict[str, str]:
    timestamp = int(time.time())
    found = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "akka-http/10.0.10"}
    if knobs.webhook_signed:
        found |= {
            "webhook-id": delivery.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(delivery.message_id, timestamp, delivery.body),
        }
    return found | (hook.headers or {})


class Dispatcher:
    """Sends what is due, in due order, on a few threads; keeps what is held."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[Delivery] = []
        self.held: list[Delivery] = []
        self.log: list[Delivery] = []
        self.numbers = itertools.count(1)
        self.chance = random.Random(knobs.seed)
        self.busy = 0
        self.started = False

    def announce(self, scope: str, body: bytes) -> None:
        """Queue an event for every hook that wants it, with the knobs' duplicates and delays."""
        wanting = [h for h in Hook.objects.filter(is_active=True) if matches(h.scope, scope)]
        for hook in wanting:
            message_id = f"msg_{uuid.uuid4().hex}"
            for _ in range(1 + knobs.webhook_duplicates):
                if self.chance.random() < knobs.webhook_drop:
                    continue
                wait = knobs.webhook_delay + self.chance.random() * knobs.webhook_shuffle
                due = time.monotonic() + wait
                self.queue(Delivery(due, next(self.numbers), hook.id, scope, body, message_id))

    def queue(self, delivery: Delivery) -> None:
        with self.changed:
            if delivery.attempt == 0:
                self.log.append(delivery)
                del self.log[:-20_000]
            if knobs.webhook_hold:
                self.held.append(delivery)
            else:
                heapq.heappush(self.waiting, delivery)
            self.start()
            self.changed.notify()

    def start(self) -> None:
        if not self.started:
            self.started = True
            self.senders = ThreadPoolExecutor(8, thread_name_prefix="webhook")
            threading.Thread(target=self.run, daemon=True, name="webhooks").start()

    def run(self) -> None:
        while True:
            with self.changed:
                wait = self.waiting[0].due - time.monotonic() if self.waiting else None
                if wait is None or wait > 0:
                    self.changed.wait(wait)
                    continue
                delivery = heapq.heappop(self.waiting)
                self.busy += 1
            self.senders.submit(self.send, delivery)

    def send(self, delivery: Delivery) -> None:
        try:
            hook = Hook.objects.filter(id=delivery.hook_id, is_active=True).first()
            if hook is not None:
                self.attempt(delivery, hook)
        finally:
            close_old_connections()
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    def attempt(self, delivery: Delivery, hook: Hook) -> None:
        if urlsplit(hook.destination).hostname in knobs.blocked_domains:
            delivery.due = time.monotonic() + BLOCKED_FOR
            self.queue(delivery)
            return
        delivery.attempt += 1
        try:
            answer = call(
                "POST", hook.destination, data=delivery.body,
                headers=headers(delivery, hook), timeout=knobs.webhook_timeout,
            )  # fmt: skip
            delivery.status, delivery.error = answer.status_code, ""
        except requests.RequestException as error:
            delivery.status, delivery.error = None, type(error).__name__
        if delivery.status is None or not 200 <= delivery.status < 300:
            self.retry(delivery, hook)

    def retry(self, delivery: Delivery, hook: Hook) -> None:
        """Again later; after the last attempt the hook is deactivated."""
        if delivery.attempt > len(knobs.webhook_retries):
            Hook.objects.filter(id=hook.id).update(
                is_active=False, deactivated=True, updated=datetime.now(UTC)
            )
            return
        delivery.due = time.monotonic() + knobs.webhook_retries[delivery.attempt - 1]
        self.queue(delivery)

    def release(self, *, reverse: bool = False, copies: int = 1) -> int:
        """Let go of what is held, in reverse order or several times if wished."""
        with self.changed:
            held = list(reversed(self.held)) if reverse else list(self.held)
            self.held.clear()
            for i, delivery in enumerate(held * copies):
                due = time.monotonic() + i * 0.01
                copy = Delivery(
                    due, next(self.numbers), delivery.hook_id, delivery.scope, delivery.body,
                    delivery.message_id, delivery.attempt,
                )  # fmt: skip
                self.log.append(copy)
                heapq.heappush(self.waiting, copy)
            self.start()
            self.changed.notify()
            return len(held)

    def drop(self) -> int:
        """Lose what is held or waiting."""
        with self.changed:
            lost = len(self.held) + len(self.waiting)
            self.held.clear()
            self.waiting.clear()
            return lost

    def pending(self) -> int:
        """Events that have not been answered yet (held ones too)."""
        with self.changed:
            return len(self.held) + len(self.waiting) + self.busy

    def clear(self) -> None:
        with self.changed:
            self.held.clear()
            self.waiting.clear()
            self.log.clear()
            self.chance = random.Random(knobs.seed)

    def listed(self) -> list[Document]:
        with self.changed:
            return [delivery.shown() for delivery in self.log]


dispatcher = Dispatcher()
