"""The command in this process, an issuer on loopback, and a browser that follows redirects."""

import os
import sys
import urllib.error
import urllib.request
from typing import NamedTuple

import keyring
import pytest
import trio
from keyring.backends.fail import Keyring

from router.cli import main
from router.cli.login import command, options
from router.store.home.home import open_home

from ...login.issuer import CLIENT, running
from ...patience import PATIENCE


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self):
        """Both outputs on one line each, so that it does not matter where lines were broken."""
        return " ".join(f"{self.out} {self.err}".split())


class Browser:
    """What `open_page` does. answers: the status and page of each address it ended at. before: called with each
    address that an issuer sends it to, before it goes there."""

    def __init__(self):
        self.opened, self.answers = [], []
        self.works = True
        self.before = None

    async def open_page(self, url, environ):
        self.opened.append(url)
        if self.works:
            trio.lowlevel.spawn_system_task(trio.to_thread.run_sync, self._visit, url)
        return self.works

    def _visit(self, url):
        if self.before is not None:
            self.before(self.find_target(url))
        self.answers.append(get(url))

    def find_target(self, url):
        """Where an issuer redirects to."""
        opener = urllib.request.build_opener(_Stay)
        try:
            opener.open(url)
        except urllib.error.HTTPError as answer:
            return answer.headers["location"]
        raise AssertionError(url)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def get(url, **headers):
    """Status and body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def issuer():
    """An issuer, and the backend that takes its tokens."""
    with running() as server:
        yield server


@pytest.fixture
def browser(monkeypatch):
    """The browser of this machine."""
    made = Browser()
    monkeypatch.setattr(command, "open_page", made.open_page)
    monkeypatch.setattr(options, "has_browser", lambda environ: made.works)
    return made


class Cli:
    """Runs commands in this process, on a home of its own."""

    def __init__(self, home, capfd, monkeypatch):
        self.home = home
        self._capfd = capfd
        self._monkeypatch = monkeypatch

    def __call__(self, *argv, stdin=""):
        reading, writing = os.pipe()
        os.write(writing, stdin.encode())
        os.close(writing)
        with os.fdopen(reading) as file, self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", file)
            self._capfd.readouterr()
            code = main(list(argv))
        out, err = self._capfd.readouterr()
        return Done(code, out, err)

    def log_in(self, issuer, *more, name="work", stdin=""):
        """`login NAME` with a client, and the issuer's own backend."""
        place = ("--base-url", f"{issuer.url}/v1", "--protocols", "chat")
        return self("login", name, "--issuer", issuer.url, "--client-id", CLIENT, *place, *more, stdin=stdin)


@pytest.fixture
def cli(tmp_path, capfd, monkeypatch):
    """Runs commands."""
    # A worker of xdist has a width of its own.
    monkeypatch.delenv("COLUMNS", raising=False)
    for name in list(os.environ):
        if name.startswith(("FAIRLEAD_", "SSH_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FAIRLEAD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FAIRLEAD_TRACEBACK", "1")
    # No keyring: the library takes that of this machine, or one that another test has.
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield Cli(open_home(os.environ), capfd, monkeypatch)
    keyring.set_keyring(before)
