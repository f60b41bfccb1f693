"""BigCommerce's logout ends our session too: its control panel tells the frames it holds."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from stores.models import PanelSession
from tests.panel.world import filled_store, session_of

FRAME = """<!doctype html><title>Control panel</title><script>
window.heard = [];
addEventListener("message", event => heard.push(event.data));
</script><iframe title="app" src="%s" width="900" height="600"></iframe>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def panel_folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """What is written there is a page of the control panel."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path, f"http://panel.localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def framed(
    browser: Browser, live_app: str, panel_folder: tuple[Path, str]
) -> Iterator[tuple[Page, FrameLocator]]:
    """The app in a frame of the control panel."""
    folder, origin = panel_folder
    store = filled_store()
    store.control_panel_url = origin
    store.save()
    (folder / "index.html").write_text(FRAME % (live_app + session_of(store)))
    context = browser.new_context()
    page = context.new_page()
    page.goto(origin)
    app = page.frame_locator("iframe")
    expect(app.get_by_role("heading", name="Overview")).to_be_visible()
    yield page, app
    context.close()


def say(page: Page, message: object) -> None:
    """What the control panel tells the frame."""
    page.evaluate("message => frames[0].postMessage(message, '*')", message)


def test_logging_out_of_bigcommerce_ends_the_session(framed: tuple[Page, FrameLocator]) -> None:
    page, app = framed
    ping = json.dumps({"method": "bc::__ready", "params": "ping"}, separators=(",", ":"))
    page.wait_for_function("ping => heard.includes(ping)", arg=ping)

    say(page, ping)
    page.wait_for_function("pong => heard.includes(pong)", arg=ping.replace("ping", "pong"))
    say(page, json.dumps({"method": "bc::logout"}))

    expect(app.get_by_role("heading", name="You are logged out")).to_be_visible()
    expect(app.get_by_text("Calzados Marina")).to_have_count(0)
    assert not PanelSession.objects.exists()


def test_strange_messages_change_nothing(framed: tuple[Page, FrameLocator]) -> None:
    page, app = framed
    ping = json.dumps({"method": "bc::__ready", "params": "ping"}, separators=(",", ":"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for message in ("logout", "{", "null", '{"method": "logout"}', '{"method": "x::logout"}'):
        say(page, message)
    say(page, {"method": "bc::logout"})
    say(page, ping)
    page.wait_for_function("pong => heard.includes(pong)", arg=ping.replace("ping", "pong"))
    assert asked == []  # all before the last message was read

    expect(app.get_by_role("heading", name="Overview")).to_be_visible()
    assert PanelSession.objects.exists()
