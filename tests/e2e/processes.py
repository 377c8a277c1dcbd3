"""Real `fairlead proxy` processes on a home of their own, and the same proxy inside the test's process.

FAIRLEAD_BINARY names a built program to test in the place of the sources. Each proxy then runs from a copy of its own,
which is deleted as soon as the proxy says that it has loaded everything.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import trio

from router.server import serve
from router.settings import Loaded
from router.store.config import toml
from router.store.home.home import open_home
from router.store.opening import open_store as open_chosen_store

from ..command_server import find_server, takes
from ..patience import PATIENCE
from .wire import ask

BINARY = os.environ.get("FAIRLEAD_BINARY")
SOURCES = (sys.executable, "-W", "error", "-m", "router")
ALL = ("messages", "chat", "responses")


def backend(name, root, *, protocols=ALL, vendor="", auth="none", key=""):
    """A backend file's content."""
    return {
        "schema": 1,
        "name": name,
        "root": root,
        "protocols": protocols,
        "vendor": vendor,
        "auth": auth,
        "accounts": [{"alias": "main", "key": key}] if key else [],
        "enabled": True,
        "added": 0,
    }


def make_home(folder, backends=()):
    """A home as the CLI would have made it; one that is there is used again."""
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    for entry in backends:
        add_backend(home, entry)
    return home


def add_backend(home, entry):
    """One more backend file."""
    (home / "backends").mkdir(mode=0o700, exist_ok=True)
    path = home / "backends" / f"{entry['name']}.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(entry))


def until(condition, seconds=PATIENCE):
    """Poll until the condition gives something true, and return it; the last value when time is up."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return value


def installed(folder):
    """A copy of the built program in this folder: what to run."""
    program = Path(BINARY)
    if (program.parent / "_internal").is_dir():
        shutil.copytree(program.parent, folder / "program", symlinks=True)
    else:
        (folder / "program").mkdir()
        shutil.copy2(program, folder / "program")
    return folder / "program" / program.name


class Proxy:
    """A running `fairlead proxy`. port: where it listens. home: its folder. log: its output, if it goes to a file.
    command: what to run; the sources of this program run in a child of a process that has imported them."""

    def __init__(self, folder, *arguments, backends=(), output=None, settings=None, command=SOURCES, **options):
        self.home = make_home(folder, backends)
        frozen = BINARY is not None and command is SOURCES
        if frozen:
            command = (installed(folder),)
        self.log = folder / "proxy.log"
        keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        own = {"HOME": str(folder), "FAIRLEAD_HOME": str(self.home), "FAIRLEAD_REQUIRE_KEY": "off", "FAIRLEAD_UI": "on"}
        environ = {**keep, **own, **(settings or {})}
        words = ("proxy", "--port", "0", *arguments)
        with self.log.open("wb") as file:
            if command is SOURCES and not options and output is None and takes(environ):
                with open(os.devnull, "rb") as nothing:
                    streams = [nothing.fileno(), file.fileno(), file.fileno()]
                    self.process = find_server().start(words, streams, environ=environ, cwd=folder)
            else:
                self.process = subprocess.Popen(
                    [*command, *words],
                    cwd=folder,
                    env=environ,
                    **{"stdin": subprocess.DEVNULL, "stdout": output or file, "stderr": output or file, **options},
                )
        try:
            until(lambda: self.process.poll() is not None or self._run())
            assert self.process.poll() is None, self.said()
            self.port = self._run()["port"]
            if frozen:
                self.loaded()
                shutil.rmtree(folder / "program")
        except BaseException:
            self.kill()
            raise

    def _run(self):
        """Its run file's content: other proxies may share the home."""
        found = [json.loads(path.read_text()) for path in (self.home / "run").glob("*.json")]
        return next((run for run in found if run["pid"] == self.process.pid), None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            code = self.stop()
            assert code == 0, self.said()

    def stop(self):
        """Ask it to stop and wait; its exit code."""
        try:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(PATIENCE)
        finally:
            self.kill()

    def kill(self):
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def settled(self, *names):
        """Wait until the proxy has read the catalogs of these backends."""

        def read():
            return {entry["name"] for entry in self.status()["backends"] if entry["models"]} >= {*names}

        assert until(read), self.said()

    def loaded(self):
        """Wait until the proxy needs nothing more of its installation."""
        assert until(lambda: self.status()["loaded"]), self.said()

    def status(self):
        """What GET /status says."""
        return ask(self.port, "/status", None, self.operator()).json()

    def operator(self):
        """The header that operator endpoints ask for."""
        return b"Authorization", b"Bearer " + (self.home / "operator.token").read_bytes().strip()

    def said(self):
        """The end of its output, and whether it still runs."""
        return f"exit code {self.process.poll()}\n{self.log.read_text(errors='replace')[-3000:]}"


@contextlib.asynccontextmanager
async def inside(folder, *, backends=(), demo=None, drain=1.0, tables=None, open_store=open_chosen_store, **settings):
    """A proxy in this trio run; gives the `Serving`.

    tables: settings that are no texts, by attribute; a reload reads them again. open_store: as for a proxy.
    """
    home = open_home({"FAIRLEAD_HOME": str(make_home(folder, backends))})
    environ = {f"FAIRLEAD_{name.upper()}": value for name, value in settings.items()}
    switches = {"FAIRLEAD_REQUIRE_KEY": "off", "FAIRLEAD_UI": "on", "FAIRLEAD_NOTIFY": "off"}
    environ = {"FAIRLEAD_PORT": "0", **switches, **environ}

    def read():
        found = toml.load(home, environ)
        return Loaded(dataclasses.replace(found.settings, **(tables or {})), found.sources)

    async with serve.running(
        read().settings, home, load_settings=read, demo=demo, drain=drain, open_store=open_store
    ) as serving:
        await serving.loaded.wait()
        yield serving


class Threaded:
    """A proxy in a thread of this process, for tests that look into it."""

    def __init__(self, folder, **options):
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._serve, folder, options))
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        self.port = self.serving.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call(self._done.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def call(self, function):
        """Run a function between two steps of the proxy, and return what it returns."""
        return trio.from_thread.run_sync(function, trio_token=self._token)

    async def _serve(self, folder, options):
        self._token, self._done = trio.lowlevel.current_trio_token(), trio.Event()
        async with inside(folder, **options) as self.serving:
            self._ready.set()
            await self._done.wait()
