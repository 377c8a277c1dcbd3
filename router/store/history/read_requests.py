"""Single requests of the history: by id, the newest, or all."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import sqlite3

_ROWS_LIMIT = 1000
# 40 ms; nobody types the end of an id from last month.
_LOOKED_THROUGH = 100_000

_NAMED = ("method", "client", "protocol", "model", "served", "backend", "account", "error", "price", "billing", "tag")
_PLAIN = (
    *("id", "time", "path", "status", "attempts", "queue_ms", "first_byte_us", "total_us", "tokens_in", "tokens_out"),
    *("cache_read", "cache_write", "reasoning", "cost", "losses", "stream", "utilisation", "estimated", "notes"),
    *("sent_ms", "session", "turns", "given_up", "used_5h", "resets_5h", "used_7d", "resets_7d"),
)
_SELECT = (
    "SELECT "  # noqa: S608 - names of ours
    + ", ".join([*(f"r.{name}" for name in _PLAIN), *(f"n{index}.text" for index in range(len(_NAMED))), "b.text"])
    + " FROM requests AS r "
    + " ".join(f"JOIN names AS n{index} ON n{index}.id = r.{name}" for index, name in enumerate(_NAMED))
    + " LEFT JOIN names AS b ON b.id = r.bound"
)
_TRIES = (
    "SELECT at_ms, backends.text, accounts.text, status, errors.text, done.text, note FROM attempts AS a "
    "JOIN names AS backends ON backends.id = a.backend JOIN names AS accounts ON accounts.id = a.account "
    "JOIN names AS errors ON errors.id = a.error JOIN names AS done ON done.id = a.done "
    "WHERE time = ? AND request = ? ORDER BY number"
)


class Try(msgspec.Struct, kw_only=True):
    """One attempt. at_ms: since the request came; status: of the answer's head, 0 when none came; error: its class, ""
    when the answer was taken; done: what followed (parked, cooled, retried, moved), "" for the last one; note: more of
    it in words."""

    at_ms: int
    backend: str
    account: str
    status: int
    error: str
    done: str
    note: str


class Request(msgspec.Struct, kw_only=True):
    """One request. time: seconds since 1970; *_ms: milliseconds; tokens_in: read without the cache's; cost_usd: None
    when the price is unknown; price: where it is from; utilisation: used share of the account's tightest limit, as the
    answer said; used_5h, used_7d: those of a subscription's windows, and resets_*: when these begin anew, in seconds
    since 1970; losses, notes: lists. attempts: how many; tries: what is known of each. bound, session, turns: the
    account its conversation was bound to, a hash of what it is known by, and its requests so far; given_up: cached
    tokens left behind when the account was changed. None: not known."""

    id: str
    time: float
    client: str
    protocol: str
    method: str
    path: str
    model: str
    served_model: str
    backend: str
    account: str
    status: int
    error: str
    attempts: int
    queue_ms: int
    first_byte_ms: float | None
    total_ms: float
    tokens_in: int | None
    tokens_out: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    cost_usd: float | None
    price: str
    losses: list[str]
    stream: bool
    billing: str
    utilisation: float | None
    tag: str
    estimated: bool
    notes: list[str]
    tries: list[Try]
    bound: str | None
    session: str | None
    turns: int | None
    given_up: int | None
    used_5h: float | None
    resets_5h: int | None
    used_7d: float | None
    resets_7d: int | None


def request(db: "sqlite3.Connection", name: str) -> Request | None:
    """The request of that id, None when there is none; without its `req_` too."""
    for row in db.execute(f"{_SELECT} WHERE r.id IN (?, ?)", (name, f"req_{name}")):
        return _request(db, row)
    return None


def abbreviated(db: "sqlite3.Connection", part: str, limit: int = 3) -> list[str]:
    """The newest ids that begin so, with or without their `req_`, or else of the newest requests those that end so:
    ids of one day begin alike."""
    text = part if part.startswith("req_") else f"req_{part}"
    query = "SELECT id FROM requests WHERE id >= ? AND id < ? ORDER BY time DESC LIMIT ?"
    found = [row[0] for row in db.execute(query, (text, text + "\U0010ffff", limit))]
    if not found:
        newest = f"SELECT id FROM requests ORDER BY seq DESC LIMIT {_LOOKED_THROUGH}"  # noqa: S608 - a number
        query = f"SELECT id FROM ({newest}) WHERE substr(id, ?) = ? LIMIT ?"  # noqa: S608 - no values in it
        found = [row[0] for row in db.execute(query, (-len(part), part, limit))]
    return found


def latest(db: "sqlite3.Connection", limit: int, before: str = "") -> list[Request]:
    """The newest requests first, at most `limit`; before: those that were written before this one."""
    query, values = f"{_SELECT} ORDER BY r.seq DESC LIMIT ?", [min(limit, _ROWS_LIMIT)]
    if before:
        row = db.execute("SELECT seq FROM requests WHERE id = ?", (before,)).fetchone()
        if row is None:
            return []
        query, values = f"{_SELECT} WHERE r.seq < ? ORDER BY r.seq DESC LIMIT ?", [row[0], *values]
    return [_request(db, row) for row in db.execute(query, values)]


def every(db: "sqlite3.Connection") -> Iterable[Request]:
    """All requests, oldest first; they are read as they are taken."""
    return (_request(db, row) for row in db.execute(f"{_SELECT} ORDER BY r.seq"))


def _request(db: "sqlite3.Connection", row: tuple[Any, ...]) -> Request:
    found: dict[str, Any] = dict(zip((*_PLAIN, *_NAMED, "bound"), row, strict=True))
    cost, first, sent, ms = (found.pop(name) for name in ("cost", "first_byte_us", "sent_ms", "time"))
    found["account"] = found["account"].partition("/")[2]
    return Request(
        time=ms / 1000,
        served_model=found.pop("served"),
        first_byte_ms=None if first is None else first / 1000,
        total_ms=found.pop("total_us") / 1000,
        cost_usd=None if cost is None else cost / 1e9,
        losses=_listed(found.pop("losses")),
        notes=_listed(found.pop("notes")),
        stream=bool(found.pop("stream")),
        estimated=bool(found.pop("estimated")),
        tries=_tries(db, ms, found) if sent is None else [_only(sent, found)],
        **found,
    )


def _only(sent: int, found: dict[str, Any]) -> Try:
    """The one attempt of a request, which its row tells."""
    same = {name: found[name] for name in ("backend", "account", "status", "error")}
    return Try(at_ms=sent, done="", note="", **same)


def _tries(db: "sqlite3.Connection", ms: int, found: dict[str, Any]) -> list[Try]:
    if not found["attempts"]:
        return []
    return [
        Try(
            at_ms=at,
            backend=backend,
            account=account.partition("/")[2],
            status=status,
            error=error,
            done=done,
            note=note,
        )
        for at, backend, account, status, error, done, note in db.execute(_TRIES, (ms, found["id"]))
    ]


def _listed(text: str) -> list[str]:
    return text.split("; ") if text else []
