"""Plays of `fairlead upgrade`: to a newer version, back, across a history schema, and under open streams."""

import contextlib
import json
import os
import signal
import sqlite3
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

from rehearsal.installing import install
from rehearsal.plays import Failed, NotHere, Play, expect
from rehearsal.stage import Stage
from rehearsal.streams import PROTOCOLS, WORD, Stream, Visits
from rehearsal.users import User
from rehearsal.versions import NEW, OLD

STREAMS = 50
# Seconds: how far apart the ends of the streams are. A drain of 10 s then sees some of them end whole.
APART = 3.0
PATIENCE = 60.0


def play_upgrade(stage: Stage) -> None:
    """upgrade --check names the newer version, upgrade installs it and keeps the old one, and then has nothing to do"""
    user = _start(stage)
    checked = json.loads(_said(user, "upgrade", "--check", "--json"))
    expect((checked["current"], checked["latest"], checked["newer"]) == (OLD, NEW, True), f"--check says {checked}")
    expect(user.version() == f"fairlead {OLD}", "--check changed the version")
    _said(user, "upgrade")
    expect(user.version() == f"fairlead {NEW}", f"afterwards `fairlead --version` says {user.version()!r}")
    expect((user.prefix / "versions" / OLD / "fairlead").is_file(), "the old version is gone")
    asked = len(stage.host.asked)
    _said(user, "upgrade")
    fetched = {path.rpartition("/")[2].partition("?")[0] for path in stage.host.asked[asked:]}
    expect(fetched <= {"release.json", "release.json.minisig"}, f"once more, it fetched {sorted(fetched)}")


def play_upgrade_file(stage: Stage) -> None:
    """the program in one file, put somewhere by hand, upgrades itself in its place"""
    if stage.old.file is None:
        raise NotHere("the program in one file, which the whole rehearsal builds")
    user = stage.user
    user.bin.mkdir(parents=True)
    user.program.write_bytes(stage.old.file.read_bytes())
    user.program.chmod(0o755)
    for path in (*user.bin.parents, user.bin, user.program):
        if path.is_relative_to(user.home):
            user.own(path)
    _said(user, "upgrade")
    expect(user.version() == f"fairlead {NEW}", f"afterwards `fairlead --version` says {user.version()!r}")


def play_upgrade_rollback(stage: Stage) -> None:
    """upgrade --rollback goes back to the version before, without the network, and upgrade goes forward again"""
    user = _start(stage)
    _said(user, "upgrade")
    asked = len(stage.host.asked)
    _said(user, "upgrade", "--rollback")
    expect(user.version() == f"fairlead {OLD}", f"afterwards `fairlead --version` says {user.version()!r}")
    expect(len(stage.host.asked) == asked, f"it asked the host for {stage.host.asked[asked:]}")
    _said(user, "upgrade")
    expect(user.version() == f"fairlead {NEW}", f"forward again, it says {user.version()!r}")


def play_upgrade_to(stage: Stage) -> None:
    """upgrade --to goes to an older version when it is named, and only then"""
    user = stage.user
    install(user)
    stage.host.latest = OLD
    refused = user.fairlead("upgrade")
    expect(refused.returncode == 1 and f"--to {OLD}" in refused.stderr, f"{refused.stdout}{refused.stderr}")
    _said(user, "upgrade", "--to", OLD)
    expect(user.version() == f"fairlead {OLD}", f"afterwards `fairlead --version` says {user.version()!r}")


def play_upgrade_schema(stage: Stage) -> None:
    """back across a change of history.db's schema, upgrade refuses with the way, and by that way it goes back"""
    user = _start(stage)
    _said(user, "upgrade")
    history, schema = _make_history(user)
    for words in (("--to", OLD), ("--rollback",)):
        done = user.fairlead("upgrade", *words)
        said = f"upgrade {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        expect(done.returncode == 1 and f"reads history.db up to version {schema - 1}" in done.stderr, said)
        expect(user.version() == f"fairlead {NEW}", f"{said}; afterwards {user.version()!r}")
    expect(_read_schema(history) == schema, "history.db was changed")
    way = [line.strip() for line in done.stderr.splitlines() if line.startswith("  ")]
    commands = [line for line in way if line.startswith(("fairlead ", "mv "))]
    expect([line.split()[1] for line in commands[:2]] == ["history", "stop"] and len(commands) == 3, f"the way: {way}")
    with _proxy(user):
        for line in commands:
            walked = user.run("sh", "-c", line)
            expect(walked.returncode == 0, f"{line} ended with {walked.returncode}: {walked.stdout}{walked.stderr}")
    expect((user.home / "history.ndjson").read_text("utf-8").count("\n") > 0, "the export is empty")
    _said(user, "upgrade", "--rollback")
    expect(user.version() == f"fairlead {OLD}", f"afterwards `fairlead --version` says {user.version()!r}")
    expect(_make_history(user)[1] == schema - 1, "the old version has not begun a history of its own")


def play_install_schema(stage: Stage) -> None:
    """an older version that install.sh puts before a newer history.db leaves it as it is, and serves"""
    user = stage.user
    install(user)
    history, schema = _make_history(user)
    install(user, "--version", OLD)
    with _proxy(user) as port:
        _ask(port)
    expect(_read_schema(history) == schema, "the old version changed the newer history")


def play_upgrade_streams(stage: Stage) -> None:
    """an upgrade under 50 open streams: each ends whole or with its protocol's error event, and new connections are
    served throughout"""
    user = _start(stage)
    with _upstream(stage) as upstream, _proxy(user) as port:
        added = ("--base-url", f"http://127.0.0.1:{upstream}/v1", "--protocols", ",".join(PROTOCOLS), "--no-key")
        _said(user, "backend", "add", "box", *added)
        streams = [_open(port, number) for number in range(STREAMS)]
        for stream in streams:
            expect(stream.begun.wait(PATIENCE) and not stream.end, f"a stream did not begin: {stream.end}")
        visits = Visits(port)
        began = time.monotonic()
        done = user.fairlead("upgrade")
        expect(done.returncode == 0, f"upgrade ended with {done.returncode}: {done.stdout}{done.stderr}")
        _until(lambda: _served(user, port) == NEW, f"version {NEW} on the port; upgrade said: {done.stdout}")
        over = time.monotonic()
        for stream in streams:
            stream.join(PATIENCE)
        _until(lambda: len(visits.answers) > 0, "an answer")
        visits.stop()
        ends = Counter(stream.end or "still open" for stream in streams)
        expect(set(ends) <= {"whole", "error event"}, f"streams ended thus: {dict(ends)}")
        expect(ends["error event"] > 0, f"none was open at the drain's end: {dict(ends)} after {over - began:.0f} s")
        kinds = {stream.protocol for stream in streams if stream.end == "error event"}
        expect(kinds == set(PROTOCOLS), f"only streams of {sorted(kinds)} were open at the drain's end")
        expect(
            any(stream.end == "whole" and stream.ended > over for stream in streams), "none ended whole in the drain"
        )
        expect(not visits.problems, f"{len(visits.problems)} of the new connections: {visits.problems[:3]}")
        expect(visits.answers["200"] > 50, f"only {visits.answers['200']} new connections were made")


# How they are played


def _start(stage: Stage) -> User:
    """The stage's user, who has installed the old version."""
    install(stage.user, "--version", OLD)
    return stage.user


def _said(user: User, *arguments: str) -> str:
    """What a command that must end well printed."""
    done = user.fairlead(*arguments)
    expect(done.returncode == 0, f"{' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def _proxy(user: User) -> Generator[int]:
    """The port of a proxy that runs in the background; stopped at the end."""
    _said(user, "proxy", "--detach", "--port", "0")
    try:
        yield int(_runs(user)[0]["port"])
    finally:
        user.fairlead("stop")
        _end_all(user)


def _runs(user: User) -> list[dict[str, int | str]]:
    return [json.loads(path.read_text("utf-8")) for path in (user.home / ".fairlead" / "run").glob("*.json")]


def _end_all(user: User) -> None:
    """End what `stop` left, so that no play leaves a process behind."""
    for run in _runs(user):
        with contextlib.suppress(ProcessLookupError):
            if sys.platform != "win32":
                os.kill(int(run["pid"]), signal.SIGKILL)


def _served(user: User, port: int) -> str:
    """The version that serves a port, as the run files say."""
    return next((str(run["version"]) for run in _runs(user) if run["port"] == port), "")


@contextlib.contextmanager
def _upstream(stage: Stage) -> Generator[int]:
    """The port of another proxy, whose demo models are the backend."""
    place = stage.folder / "upstream"
    with tarfile.open(stage.old.archive) as packed:
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        packed.extractall(place)
    other = stage.make_user("other home")
    command = [place / "fairlead" / "fairlead", "proxy", "--port", "0"]
    process = other.start(*command)
    try:
        _until(lambda: process.poll() is not None or _runs(other), "the upstream")
        expect(process.poll() is None, f"the upstream ended with {process.poll()}")
        yield int(_runs(other)[0]["port"])
    finally:
        process.kill()
        process.wait()


def _open(port: int, number: int) -> Stream:
    words = round((4 + number * APART) / WORD)
    stream = Stream(port, PROTOCOLS[number % len(PROTOCOLS)], words, "box:demo-slow")
    stream.start()
    return stream


def _ask(port: int) -> None:
    stream = Stream(port, "chat", 3, "demo")
    stream.start()
    stream.join(PATIENCE)
    expect(stream.end == "whole", f"a request through the proxy: {stream.end}")


def _make_history(user: User) -> tuple[Path, int]:
    """history.db with one request in it, and the version of its schema."""
    history = user.home / ".fairlead" / "history.db"
    with _proxy(user) as port:
        _ask(port)
        _until(history.exists, "a history")
    return history, _read_schema(history)


def _read_schema(history: Path) -> int:
    with contextlib.closing(sqlite3.connect(history)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def _until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise Failed(f"{what} did not come within {PATIENCE:g} s")
        time.sleep(0.05)


PLAYS: tuple[Play, ...] = (
    play_upgrade,
    play_upgrade_file,
    play_upgrade_rollback,
    play_upgrade_to,
    play_upgrade_schema,
    play_install_schema,
    play_upgrade_streams,
)
SHORT: tuple[Play, ...] = (play_upgrade, play_upgrade_rollback, play_upgrade_schema)
