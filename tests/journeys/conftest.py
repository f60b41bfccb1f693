"""Shoppers and merchants in a real browser, in front of the whole system."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from local.stack import Stack
from tests.journeys.merchant import Merchant
from tests.journeys.shopper import PATIENCE_MS, Shopper
from tests.journeys.system import System

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
FAILED = pytest.StashKey[bool]()

Visit = Callable[..., Shopper]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    # pytest hands the report to a wrapper without its type.
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed  # type: ignore[attr-defined]
    return report


@pytest.fixture(scope="module")
def installed(stack: Stack) -> System:
    """The one system that most journeys share, as this module's: others leave it as they like."""
    system = System(stack)
    system.install()
    return system


@pytest.fixture
def system(installed: System) -> System:
    """The shared system without faults, and knobs in their usual position."""
    installed.calm_down()
    return installed


def pictures(item: pytest.Item, contexts: list[BrowserContext]) -> None:
    """What the browsers showed when the test failed, into artifacts/."""
    ARTIFACTS.mkdir(exist_ok=True)
    name = re.sub(r"[^\w]+", "-", item.name).strip("-")
    pages = (page for context in contexts for page in context.pages)
    for number, page in enumerate(pages):
        page.screenshot(path=ARTIFACTS / f"{name}-{number}.png")


@pytest.fixture
def browsers(
    browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
    """Opens fresh profiles; they are closed afterwards, and pictured when the test failed."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        return context

    yield opened
    if request.node.stash.get(FAILED, False):
        pictures(request.node, contexts)
    for context in contexts:
        context.close()


@pytest.fixture
def shoppers(
    system: System, browsers: Callable[..., BrowserContext]
) -> Iterator[Callable[..., Shopper]]:
    """New shoppers, each with a browser. What they caused must not throw into the shop's page."""
    made: list[Shopper] = []

    def shopper(width: int = 1440, **options: Any) -> Shopper:
        context = browsers(viewport={"width": width, "height": 900}, **options)
        made.append(Shopper(context.new_page(), system))
        return made[-1]

    yield shopper
    thrown = [error for shopper in made for error in shopper.thrown]
    assert [error for error in thrown if "another script" not in error] == []


@pytest.fixture
def new_shopper(shoppers: Callable[..., Shopper]) -> Shopper:
    """A shopper who has not come to the shop yet."""
    return shoppers()


@pytest.fixture
def merchant(system: System, browsers: Callable[..., BrowserContext]) -> Merchant:
    """Somebody with another browser, logged in to the control panel."""
    return Merchant(browsers().new_page(), system)


@pytest.fixture
def visit(shoppers: Callable[..., Shopper]) -> Visit:
    """Opens the payment step: `visit("lang=es", width=390, country="FR")`."""

    def visited(query: str = "", width: int = 1440, **wishes: Any) -> Shopper:
        return shoppers(width).come_with(query, **wishes)

    return visited
