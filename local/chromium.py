"""A Chromium for the browser tests: the first one found, with third-party cookies blocked."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Playwright

# The shell is the same engine without a window's machinery, and takes half the processor time.
NAMES = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome-stable", "google-chrome", "chrome"),
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Third-party cookies are blocked where storage is partitioned, as in everybody's browser.
# Playwright switches partitioning off, and the last `--disable-features` counts: what else of its
# list matters here is repeated.
BLOCKING = ["ForceThirdPartyCookieBlockingEnabled", "ThirdPartyStoragePartitioning"]
PLAYWRIGHTS = [
    *("PaintHolding", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "MediaRouter"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "DestroyProfileOnBrowserClose"),
    *("OptimizationHints", "NetworkTimeServiceQuerying"),
]
BLOCK_THIRD_PARTY_COOKIES = [
    f"--enable-features={','.join([*BLOCKING, 'CDPScreenshotNewSurface'])}",
    f"--disable-features={','.join(PLAYWRIGHTS)}",
]
ALLOW_THIRD_PARTY_COOKIES = {
    "profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}
}


class NoBrowser(Exception):
    """There is no Chromium on this machine."""


def find(playwright: Playwright) -> str:
    """Return CHROMIUM, a system Chromium or Chrome, or playwright's own."""
    named = os.environ.get("CHROMIUM")
    if named and not Path(named).exists():
        raise NoBrowser(f"CHROMIUM={named} does not exist")
    own = playwright.chromium.executable_path
    system = next((path for name in NAMES if (path := shutil.which(name))), None)
    found = named or system or (own if Path(own).exists() else None)
    if not found:
        raise NoBrowser(
            "no Chromium: apt-get install chromium-headless-shell (or chromium), or"
            " .venv/bin/playwright install chromium, or name one in CHROMIUM"
        )
    return found


def launch(playwright: Playwright) -> Browser:
    """Start a headless browser; every context of it is a new profile."""
    return playwright.chromium.launch(
        executable_path=find(playwright), args=[*FLAGS, *BLOCK_THIRD_PARTY_COOKIES]
    )


@contextmanager
def third_party_cookies_allowed(playwright: Playwright, **options: Any) -> Iterator[BrowserContext]:
    """Open a profile that lets frames of other sites keep cookies: the exception."""
    with tempfile.TemporaryDirectory(prefix="sequra-bc-profile-") as folder:
        preferences = Path(folder) / "Default" / "Preferences"
        preferences.parent.mkdir()
        preferences.write_text(json.dumps(ALLOW_THIRD_PARTY_COOKIES))
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=find(playwright), args=FLAGS, **options
        )
        yield context
        context.close()
