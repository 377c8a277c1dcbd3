"""Chromium, by the package playwright, and a tab of it."""

import contextlib
import os
from pathlib import Path

from ...patience import PATIENCE

CHROMIUM = Path(os.environ.get("FAIRLEAD_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SIZES = {"360": (360, 780), "1600": (1600, 1000)}
#: Milliseconds that something is waited for.
MS = PATIENCE * 250


@contextlib.contextmanager
def launch_browser():
    """The browser, until the end of the block."""
    from playwright import sync_api

    with sync_api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS])
        yield found
        found.close()


class Tab:
    """A tab, and everything that it complained of or asked others for."""

    def __init__(self, browser, port, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(MS)
        self.root = f"http://localhost:{port}"
        self.faults, self.foreign = [], []
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.violatedDirective))"
        )
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.on("request", self._note)

    def _note(self, sent):
        if not sent.url.startswith(f"{self.root}/ui"):
            self.foreign.append(sent.url)

    def open(self, code=""):
        self.page.goto(f"{self.root}/ui/{code and f'#{code}'}")
        return self

    def see(self, selector, text=None):
        """Wait until it is there, with this text."""
        found = self.page.locator(selector) if text is None else self.page.locator(selector, has_text=text)
        found.first.wait_for()
        return found.first

    def check(self):
        """Nothing was complained of, and nobody else was asked."""
        assert self.faults == []
        assert self.foreign == []
