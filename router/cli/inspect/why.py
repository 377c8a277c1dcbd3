"""`fairlead why REQUEST_ID`: what happened to one request, from history.db; no proxy need run."""

import os
import sqlite3

import msgspec

from router.cli.common.flush import flush_history
from router.cli.common.layout import find_width, print_json, wrap_row
from router.cli.common.parser import Parser
from router.cli.inspect.model_notice import find_notice
from router.errors import CommandError, NotRecorded
from router.settings.kinds import clean
from router.store.captures import folder as captures
from router.store.history import read_requests, reader
from router.store.history.read_requests import RecordedRequest
from router.store.home import run_files
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown
from router.telemetry.gate_refusals import EACH
from router.watch.why_text import NOT_SENT, Fact, describe_request

WHY_SCHEMA = 1


def run(argv: list[str]) -> int:
    """Print what is known of one request."""
    parser = Parser(
        "why",
        "Show what happened to one request: who served it or why nobody did, what can be done, how long it took, its "
        "tokens and its cost. Every answer has its id in the header x-fairlead-request-id.",
        examples=["fairlead why -", "fairlead why req_1a1fe32fa8fe3cb2d201", "fairlead why d201 --json"],
    )
    parser.add_argument("id", metavar="REQUEST_ID", help="its id, its beginning or its end; - is the latest")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    found = find_recorded(home, options.id)
    captures.sweep(home)
    if options.json:
        bodies = captures.path_of(home, found.id)
        notice = find_notice(home, found.backend, found.served_model or found.model)
        capture = None if bodies is None else str(bodies)
        request = msgspec.to_builtins(found)
        print_json({"schema": WHY_SCHEMA, "request": request, "capture": capture, "notice": notice})
    else:
        print("\n".join(format_request(home, found, find_width())))
    return 0


def format_request(home: Home, found: RecordedRequest, width: int | None) -> list[str]:
    """All that is known of a request. width: of the terminal, None for lines of any length."""
    bodies = captures.path_of(home, found.id)
    notice = find_notice(home, found.backend, found.served_model or found.model)
    lines = [*describe_request(found), *([Fact("model", clean(notice, 400))] if notice else [])]
    lines += [] if bodies is None else [Fact("captured", shown(bodies))]
    return [part for line in lines for part in _lay_out(line, width)]


def find_recorded(home: Home, name: str) -> RecordedRequest:
    """The request of an id, or of a part of one; `-` is the latest. Raises CommandError, NotRecorded."""
    found, begun = _kept(home, name)
    unwritten: list[str] = []
    if (found is None or name == "-") and run_files.live(home):
        # It may have ended within the last half second.
        unwritten = flush_history(home)
        found, begun = _kept(home, name)
    if found is not None:
        return found
    if unwritten:
        raise CommandError(f"the history does not have it: {clean(unwritten[0], 400)}")
    if not begun or name == "-":
        raise CommandError("no requests recorded yet.", "Start the proxy with `fairlead proxy` and send one.")
    raise NotRecorded(
        f"the history has no request {clean(name)}.",
        "Each answer has its id in the header x-fairlead-request-id; - is the latest. Requests are kept for as long "
        "as history.retention says. Of those that are refused at the door (no key or a wrong one, an unknown path, a "
        f"foreign page) {EACH} of a kind are kept in a minute, and the others counted:   fairlead status",
    )


def _kept(home: Home, name: str) -> tuple[RecordedRequest | None, bool]:
    """The request, if the history has it; and whether there is a history."""
    with reader.open_reader(home) as db:
        if db is None:
            return None, False
        return _latest(db) if name == "-" else read_requests.find_request(db, name) or _meant(db, name), True


def _latest(db: sqlite3.Connection) -> RecordedRequest | None:
    return next(iter(read_requests.read_latest(db, 1)), None)


def _meant(db: sqlite3.Connection, name: str) -> RecordedRequest | None:
    """The one request whose id begins or ends so. Raises CommandError when there are several."""
    ids = read_requests.find_ids(db, name) if name.removeprefix("req_") else []
    if len(ids) > 1:
        raise CommandError(f"{clean(name)} matches several requests: {', '.join(ids)}.", "Use more characters.")
    return read_requests.find_request(db, ids[0]) if ids else None


def _lay_out(fact: Fact, width: int | None) -> list[str]:
    if fact.label:
        return wrap_row(f"  {fact.label:<10} ", fact.text, width)
    return wrap_row("", f"  {fact.text}" if fact.text.startswith(NOT_SENT) else fact.text, width)
