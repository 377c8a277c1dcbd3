"""Writes the pictures of README to packaging/pictures/: `python packaging/pictures.py`.

A proxy runs on a home of its own, with no backend but the demo. It is sent requests; then the terminal program is drawn
as SVG, and the local page as PNG, light and dark. For the page the package playwright and Chromium are needed
($FAIRLEAD_CHROMIUM, else /usr/bin/chromium); `--terminal` leaves it out.

What is seen is what that proxy did, but for one thing: the requests were sent within a minute, and their times are
spread over a day, so that the charts have something to show. The prices are made up.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from router.cli.common.flush import flush_history
from router.store.home import run_files
from router.store.home.home import Home, open_home

FOLDER = Path(__file__).parent / "pictures"
#: Columns and lines of the terminal; width and height of the page.
SIZE, WINDOW = (124, 24), (1200, 517)
#: How much of the page is seen, from its top.
_SEEN = 985
_CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
_PORT = 3456
_SECONDS, _STEP = 60.0, 0.05
_HOUR, _DAY_HOURS = 3600, 24
_CONFIG = """\
[guard]
month_usd = 5

[prices."demo-full"]
input = 3
output = 15
cache_read = 0.3
cache_write = 3.75

[prices.demo]
input = 0.5
output = 2

[prices.demo-slow]
input = 0.5
output = 2
"""
# A font that a browser would load from another server, and the address of who made the drawing program.
_FOREIGN = re.compile(r"@font-face \{[^}]*\}\s*|<!--[^>]*-->\s*")
_FONT = "ui-monospace, Menlo, Consolas, monospace"


class Ask(NamedTuple):
    """A request of the demo."""

    model: str
    tag: str
    path: str = "/v1/chat/completions"
    #: Sentences of the first turn, and questions: each but the last has been asked before, and is in the demo's cache.
    size: int = 40
    turns: int = 1


def write_pictures(folder: Path, *, page: bool = True) -> list[Path]:
    """Write the pictures to a folder, with or without those of the page; their paths."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, _serve(Path(place)) as (home, port):
        _send_day(home, port)
        with _stream(port):
            written = [folder / "terminal.svg"]
            written[0].write_text(draw_terminal(home), "utf-8")
            if page:
                written += photograph_page(folder, home)
    return written


# The proxy and its traffic


@contextlib.contextmanager
def _serve(place: Path) -> Generator[tuple[Home, int]]:
    """A proxy on a fresh home, and its port: the usual one, so that the pictures show it, where that is free."""
    folder = place / "home"
    folder.mkdir(mode=0o700)
    (folder / "config.toml").write_text(_CONFIG)
    os.chmod(folder / "config.toml", 0o600)
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    own = {"HOME": str(place), "FAIRLEAD_HOME": str(folder), "FAIRLEAD_UI": "on", "FAIRLEAD_NOTIFY": "off"}
    environ = {**keep, **own, "FAIRLEAD_REQUIRE_KEY": "off", "TZ": "UTC"}
    words = [sys.executable, "-m", "router", "proxy", "--port", str(_PORT if _is_free(_PORT) else 0)]
    process = subprocess.Popen(
        words, env=environ, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        home = open_home(environ)
        port = _wait(lambda: next((run.port for run in run_files.live(home)), 0), "the proxy does not start")
        with _environment(own | {"TZ": "UTC", "TEXTUAL_ANIMATIONS": "none"}):
            yield home, port
    finally:
        process.terminate()
        process.wait()


def _is_free(port: int) -> bool:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind((host, port))
            except OSError:
                return False
    return True


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Generator[None]:
    """What the screens read of the environment: the home, and none of the user's settings."""
    before = dict(os.environ)
    for name in [*(name for name in os.environ if name.startswith("FAIRLEAD_")), "NO_COLOR"]:
        os.environ.pop(name, None)
    os.environ.update(changes)
    _set_zone()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        _set_zone()


def _set_zone() -> None:
    """Take up $TZ."""
    if sys.platform != "win32":
        time.tzset()


def _wait(find: Callable[[], Any], problem: str) -> Any:
    end = time.monotonic() + _SECONDS
    while not (found := find()):
        if time.monotonic() > end:
            raise TimeoutError(problem)
        time.sleep(_STEP)
    return found


def list_requests(hours_ago: int) -> list[Ask]:
    """What is sent for one hour of the day: more by day than by night, and now and then a failure."""
    busy = (hours_ago * 5 + 7) % 11
    asked = [Ask("demo-full", "docs", size=1200, turns=1 + turn) for turn in range(1 + busy // 2)]
    asked += [Ask("demo-full", "review", "/v1/messages", 1200 + 100 * busy, 1 + turn) for turn in range(busy // 3)]
    asked += [Ask("demo", "tests", size=20 + 3 * one) for one in range(busy % 4)]
    asked += [Ask("demo-tools", "indexer", "/v1/responses", 12)] * (busy % 2)
    asked += [Ask("demo-529", "docs", size=60)] * (hours_ago % 6 == 0)
    asked += [Ask("demo-500", "tests", size=10)] * (hours_ago % 9 == 4)
    return asked


def _send_day(home: Home, port: int) -> None:
    """Send the requests of a day, those of the earliest hour first, and move each hour to its place."""
    this_hour = int(time.time() // _HOUR)
    done = 0
    # The proxy makes the file.
    _wait((home.path / "history.db").exists, "the proxy keeps no history")
    with contextlib.closing(sqlite3.connect(home.path / "history.db", timeout=_SECONDS)) as db:
        _wait(lambda: db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'requests'").fetchone(), "it is empty")
        for hour in range(this_hour - _DAY_HOURS + 1, this_hour + 1):
            before = done
            for ask in list_requests(this_hour - hour):
                _send(port, ask)
                done += 1
            flush_history(home)
            _wait(lambda want=done: _count(db) == want, "a request is missing")
            with db:
                _spread(db, done - before, hour * _HOUR, min((hour + 1) * _HOUR, time.time()))
                # Their hourly sums too; the requests of earlier hours have been moved away from here.
                db.execute("UPDATE OR REPLACE rollups SET hour = ? WHERE hour >= ?", (hour, this_hour))


def _count(db: sqlite3.Connection) -> int:
    return db.execute("SELECT count(*) FROM requests").fetchone()[0]


def _spread(db: sqlite3.Connection, count: int, begin: float, end: float) -> None:
    """Spread the newest requests over a time."""
    newest = db.execute("SELECT seq, id, time FROM requests ORDER BY seq DESC LIMIT ?", (count,)).fetchall()
    for place, (seq, name, was) in enumerate(reversed(newest)):
        at = int((begin + (end - begin) * (place + 0.5) / count) * 1000)
        db.execute("UPDATE requests SET time = ? WHERE seq = ?", (at, seq))
        db.execute("UPDATE attempts SET time = ? WHERE request = ? AND time = ?", (at, name, was))


def _make_body(ask: Ask) -> dict[str, Any]:
    text = " ".join(f"Note {number} on {ask.tag}: keep it short and correct." for number in range(ask.size))
    # The demo repeats the last question, word by word.
    turns: list[dict[str, Any]] = [{"role": "user", "content": text}]
    for turn in range(ask.turns):
        turns.append({"role": "assistant", "content": f"Answer {turn} is in."})
        turns.append({"role": "user", "content": f"What follows from note {turn} for {ask.tag}?" * (1 + turn % 3)})
    body: dict[str, Any] = {"model": ask.model, "stream": True}
    if ask.path == "/v1/responses":
        return {**body, "store": False, "input": turns}
    if ask.path == "/v1/messages":
        return {**body, "max_tokens": 4096, "messages": turns, "cache_control": {"type": "ephemeral"}}
    return {**body, "messages": turns, "stream_options": {"include_usage": True}}


def _send(port: int, ask: Ask) -> None:
    """Send a request, and read its answer to the end."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    with contextlib.closing(connection):
        fields = {"content-type": "application/json", "x-fairlead-tag": ask.tag, "anthropic-version": "2023-06-01"}
        connection.request("POST", ask.path, json.dumps(_make_body(ask)), fields)
        connection.getresponse().read()


@contextlib.contextmanager
def _stream(port: int) -> Generator[None]:
    """An answer that is being given meanwhile."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    with contextlib.closing(connection):
        turns = [{"role": "user", "content": "one word after the other " * 400}]
        body = {"model": "demo-slow", "stream": True, "messages": turns}
        fields = {"content-type": "application/json", "x-fairlead-tag": "docs"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), fields)
        connection.getresponse().readline()
        yield


# The pictures


def draw_terminal(home: Home) -> str:
    """The Requests pane of the terminal program as SVG."""
    from router.cli.tui.app import FairleadApp
    from router.cli.tui.picture import Picture
    from router.cli.tui.source import HomeSource

    def is_whole(picture: Picture | None) -> bool:
        return picture is not None and bool(picture.running and picture.minutes and picture.requests)

    async def draw() -> str:
        app = FairleadApp(lambda: HomeSource(home))
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("2")
            end = time.monotonic() + _SECONDS
            while not is_whole(app.picture):
                if time.monotonic() > end:
                    raise TimeoutError("the terminal program shows no request that runs")
                await pilot.pause(_STEP)
            await pilot.pause()
            return app.export_screenshot(title="fairlead")

    return _FOREIGN.sub("", asyncio.run(draw())).replace("Fira Code, monospace", _FONT).replace("Fira Code", _FONT)


def photograph_page(folder: Path, home: Home) -> list[Path]:
    """The local page as PNG in both colour schemes."""
    try:
        playwright: Any = importlib.import_module("playwright.sync_api")
    except ImportError:
        sys.exit("error: the page is drawn by the package playwright.\n       Without the page:   --terminal")
    chromium = os.environ.get("FAIRLEAD_CHROMIUM", _CHROMIUM)
    written: list[Path] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=[*_ARGUMENTS])
        for scheme in ("light", "dark"):
            size = {"width": WINDOW[0], "height": WINDOW[1]}
            page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page.goto(_find_address(home))
            for shown in ("#running tr", "#ended tr", "#stacked rect"):
                page.locator(shown).first.wait_for()
            written.append(folder / f"page-{scheme}.png")
            seen = {"x": 0, "y": 0, "width": WINDOW[0], "height": _SEEN}
            page.screenshot(path=str(written[-1]), full_page=True, clip=seen)
            page.close()
        browser.close()
    return written


def _find_address(home: Home) -> str:
    """The address that opens the page in one tab."""
    words = [sys.executable, "-m", "router", "ui", "--json"]
    done = subprocess.run(words, env={**os.environ, "FAIRLEAD_HOME": str(home.path)}, capture_output=True, check=True)
    return json.loads(done.stdout)["url"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the pictures of README.")
    parser.add_argument("--terminal", action="store_true", help="the terminal program alone")
    options = parser.parse_args()
    for path in write_pictures(FOLDER, page=not options.terminal):
        print(f"{path.relative_to(FOLDER.parents[1])}   {path.stat().st_size / 1024:.0f} KB")
