"""Single requests of the history: by id, the newest, or all."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from router.policy.budget.budgets import CHILD
from router.store.history.columns import Column
from router.store.history.derive import STORED, with_fields
from router.store.history.storage import Storage

if TYPE_CHECKING:
    import sqlite3

_ROWS_LIMIT = 1000
# This takes 40 ms. Ends of ids are typed for recent requests.
_LOOKED_THROUGH = 100_000


def _select(index: int, column: Column, storage: Storage) -> str:
    return f"n{index}.text" if storage.named else f"r.{column.name}"


def _join_name(index: int, column: Column, storage: Storage) -> str:
    kind = "LEFT JOIN" if storage.null else "JOIN"
    return f" {kind} names AS n{index} ON n{index}.id = r.{column.name}" if storage.named else ""


_SELECT = (
    f"SELECT {', '.join(_select(index, *one) for index, one in enumerate(STORED))} "  # noqa: S608 - names of ours
    f"FROM requests AS r{''.join(_join_name(index, *one) for index, one in enumerate(STORED))}"
)
_NAMES = tuple(column.name for column, _ in STORED)
# Name of the column, field of the API, and the function that converts the stored value, if any.
_SHOWN = [(column.name, column.shown, storage.read) for column, storage in STORED if column.shown]
_TRIES = (
    "SELECT at_ms, backends.text, accounts.text, status, errors.text, done.text, note, "
    "coalesce(t.text, '') FROM attempts AS a "
    "JOIN names AS backends ON backends.id = a.backend JOIN names AS accounts ON accounts.id = a.account "
    "JOIN names AS errors ON errors.id = a.error JOIN names AS done ON done.id = a.done "
    "LEFT JOIN attempt_errors AS t ON t.time = a.time AND t.request = a.request AND t.number = a.number "
    "WHERE a.time = ? AND a.request = ? ORDER BY a.number"
)
_OF_KEY = "requests.time >= ? AND requests.key IN (SELECT id FROM names WHERE text = ? OR substr(text, 1, ?) = ?)"
_ATTEMPTS = (
    "SELECT a.time, a.request, accounts.text, a.status, errors.text "  # noqa: S608 - no values in it
    "FROM requests JOIN attempts AS a ON a.time = requests.time AND a.request = requests.id "
    "JOIN names AS accounts ON accounts.id = a.account JOIN names AS errors ON errors.id = a.error "
    f"WHERE attempts > 1 AND {_OF_KEY} ORDER BY a.time, a.request, a.number"
)
_REFUSED = (
    "SELECT count(*) FROM requests JOIN names AS errors ON errors.id = requests.error "  # noqa: S608 - no values in it
    f"WHERE errors.text = 'halted' AND {_OF_KEY}"
)
_MINUTES = (
    "SELECT time / 60000, count(*), total(cost), total(tokens_out), "
    "sum(status >= 400 OR error IS NOT (SELECT id FROM names WHERE text = '')) FROM requests "
    "WHERE time >= ? AND time < ? GROUP BY 1"
)
# Of ways, most frequent first.
_MOVES = 5


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that began within one minute."""

    #: Its beginning, in seconds since 1970.
    time: int
    requests: int
    errors: int
    #: The cost of those with a known price.
    cost_usd: float
    #: Tokens of the answers.
    tokens_out: int


class Move(msgspec.Struct, kw_only=True):
    """Requests that went on from one account to another, for the same reason."""

    requests: int
    #: BACKEND/ALIAS.
    origin: str
    target: str
    #: The status of the answer that was given up, or the class of the error where none came.
    reason: str


class RecordedAttempt(msgspec.Struct, kw_only=True):
    """One attempt."""

    #: Milliseconds from the request's arrival.
    at_ms: int
    backend: str
    account: str
    #: Of the answer's head, 0 when none came.
    status: int
    #: The class of the error; '' when the answer was taken.
    error: str
    #: What followed (parked, cooled, retried, moved); '' for the last attempt.
    done: str
    #: More of it in words.
    note: str
    #: The text of the error, at most 200 bytes, without secrets; '' when there is none.
    text: str


class RecordedRequest(msgspec.Struct, kw_only=True):
    """One request as the API and the export show it; None is for what is not known. Each field but `tries` is declared
    as a column (columns.COLUMNS) too."""

    id: str
    #: Seconds since 1970.
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
    #: How many attempts there were.
    attempts: int
    #: Milliseconds.
    queue_ms: int
    first_byte_ms: float | None
    total_ms: float
    #: Tokens that were read without the cache's.
    tokens_in: int | None
    tokens_out: int | None
    cache_read: int | None
    cache_write: int | None
    #: The part of cache_write that stays for an hour.
    cache_write_1h: int | None
    reasoning: int | None
    #: None when the price is unknown.
    cost_usd: float | None
    #: Where the price is from.
    price: str
    #: Why the provider's cache did not give what the turn before had left in it, how many tokens, what they cost more,
    #: seconds since that turn, and more of the cause; None when nothing was lost.
    cache_reason: str | None
    cache_lost: int | None
    cache_lost_usd: float | None
    cache_idle_s: int | None
    cache_text: str | None
    #: What it would have cost more to have the cache keep the prompt for the longer time that the provider offers; None
    #: where that would not have helped, or its price is unknown.
    cache_longer_usd: float | None
    #: What fairlead's own cache of answers gave: `hit`, `miss`; None where it was not asked. Of an answer from there,
    #: seconds since it came, and what it cost then.
    answer_cache: str | None
    answer_age_s: int | None
    saved_usd: float | None
    losses: list[str]
    stream: bool
    billing: str
    #: The used share of the account's tightest limit, as the answer said.
    utilisation: float | None
    tag: str
    #: The client key that the request was made with; None from before keys were recorded.
    key: str | None
    #: What kind of request it is, as the client says: main, subagent, workflow, compaction, auxiliary.
    request_class: str | None
    #: The type or the name of the client's agent that made it.
    agent: str | None
    #: The id of that agent.
    agent_id: str | None
    #: The id of the agent that started it.
    parent_agent_id: str | None
    #: The same for all requests that one prompt of the user led to.
    prompt_id: str | None
    estimated: bool
    notes: list[str]
    #: What is known of each attempt.
    tries: list[RecordedAttempt]
    #: The account the conversation was bound to, a hash of the conversation's key, and its requests so far.
    bound: str | None
    session: str | None
    turns: int | None
    #: Cached tokens left behind when the account was changed.
    given_up: int | None
    #: The used shares of a subscription's windows, and when these begin anew, in seconds since 1970.
    used_5h: float | None
    resets_5h: int | None
    used_7d: float | None
    resets_7d: int | None
    #: What chose the backend: a rule, an alias, `prefix`, `catalog`, `fallback`, …
    route: str | None
    #: The text of the error, at most 200 bytes, without secrets.
    error_text: str | None


#: The type of requests that are read: RecordedRequest with all columns, also those that no code uses by name.
RECORDED: type[RecordedRequest] = with_fields(
    RecordedRequest, ((column.shown, s.shown) for column, s in STORED if column.shown)
)


def find_request(db: "sqlite3.Connection", name: str) -> RecordedRequest | None:
    """Find the request of an id, which may lack its `req_`; None when there is none."""
    if not name.isascii():
        # No id is; and half a surrogate pair, which a shell or a JSON text may hold, cannot be asked for.
        return None
    for row in db.execute(f"{_SELECT} WHERE r.id IN (?, ?)", (name, f"req_{name}")):
        return _make_request(db, row)
    return None


def find_ids(db: "sqlite3.Connection", part: str, limit: int = 3) -> list[str]:
    """Find the newest ids that begin so, with or without their `req_`, or else those of the newest requests that end
    so: ids of one day begin alike."""
    if not part.isascii():
        return []
    text = part if part.startswith("req_") else f"req_{part}"
    query = "SELECT id FROM requests WHERE id >= ? AND id < ? ORDER BY time DESC LIMIT ?"
    found = [row[0] for row in db.execute(query, (text, text + "\U0010ffff", limit))]
    if not found:
        newest = f"SELECT id FROM requests ORDER BY seq DESC LIMIT {_LOOKED_THROUGH}"  # noqa: S608 - a number
        query = f"SELECT id FROM ({newest}) WHERE substr(id, ?) = ? LIMIT ?"  # noqa: S608 - no values in it
        found = [row[0] for row in db.execute(query, (-len(part), part, limit))]
    return found


def read_latest(db: "sqlite3.Connection", limit: int, before: str = "") -> list[RecordedRequest]:
    """Read the newest requests, at most `limit`, the newest first. before: the id of a request, for those that were
    written before it."""
    query, values = f"{_SELECT} ORDER BY r.seq DESC LIMIT ?", [min(limit, _ROWS_LIMIT)]
    if before:
        if not before.isascii():
            return []
        row = db.execute("SELECT seq FROM requests WHERE id = ?", (before,)).fetchone()
        if row is None:
            return []
        query, values = f"{_SELECT} WHERE r.seq < ? ORDER BY r.seq DESC LIMIT ?", [row[0], *values]
    return [_make_request(db, row) for row in db.execute(query, values)]


def read_all(db: "sqlite3.Connection") -> Iterable[RecordedRequest]:
    """Iterate over all requests, oldest first, without reading them all at once."""
    return (_make_request(db, row) for row in db.execute(f"{_SELECT} ORDER BY r.seq"))


def find_last_number(db: "sqlite3.Connection") -> int:
    """The number of the request that was written last, 0 for none. Numbers grow, and begin anew once all are erased."""
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM requests").fetchone()[0])


def find_id(db: "sqlite3.Connection", number: int) -> str:
    """The id of the request of a number, '' for none."""
    row = db.execute("SELECT id FROM requests WHERE seq = ?", (number,)).fetchone()
    return row[0] if row is not None else ""


def read_after(db: "sqlite3.Connection", number: int, limit: int) -> Iterable[tuple[int, RecordedRequest]]:
    """Iterate over the requests that were written after the one of a number, at most `limit`, oldest first, each with
    its own."""
    query = f"{_SELECT.replace('SELECT ', 'SELECT r.seq, ', 1)} WHERE r.seq > ? ORDER BY r.seq LIMIT ?"
    return ((row[0], _make_request(db, row[1:])) for row in db.execute(query, (number, limit)))


def read_minutes(db: "sqlite3.Connection", since: float, until: float) -> list[Minute]:
    """Add up each minute of a window, oldest first, those without requests too. since, until: seconds since 1970."""
    first, last = int(since) // 60, int(until) // 60
    found = {row[0]: row[1:] for row in db.execute(_MINUTES, (first * 60_000, (last + 1) * 60_000))}
    return [_make_minute(number, *found.get(number, (0, 0.0, 0.0, 0))) for number in range(first, last + 1)]


def _make_minute(number: int, requests: int, cost: float, tokens: float, errors: int) -> Minute:
    return Minute(time=number * 60, requests=requests, errors=errors, cost_usd=cost / 1e9, tokens_out=int(tokens))


def count_losses(db: "sqlite3.Connection", since: float) -> list[tuple[str, int]]:
    """Count what translations could not carry over, by what it was, most frequent first. since: seconds since 1970."""
    found: dict[str, int] = {}
    for (text,) in db.execute("SELECT losses FROM requests WHERE time >= ? AND losses != ''", (int(since * 1000),)):
        for loss in text.split("; "):
            name = loss.partition("=")[0]
            found[name] = found.get(name, 0) + 1
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))


def read_moves(db: "sqlite3.Connection", key: str, since: float) -> list[Move]:
    """The moves of the requests of a key and of those made below it, most frequent first. since: seconds since 1970."""
    below = key + CHILD
    found: dict[tuple[str, str, str], int] = {}
    before: tuple[object, str, str] | None = None
    for time, request, account, status, error in db.execute(_ATTEMPTS, (int(since * 1000), key, len(below), below)):
        if before is not None and before[0] == (time, request) and before[1] != account:
            way = (before[1], account, before[2])
            found[way] = found.get(way, 0) + 1
        before = ((time, request), account, str(status) if status >= 400 else error)
    ways = sorted(found.items(), key=lambda one: -one[1])[:_MOVES]
    return [Move(requests=count, origin=way[0], target=way[1], reason=way[2]) for way, count in ways]


def count_refused(db: "sqlite3.Connection", key: str, since: float) -> int:
    """How many requests of a key the guard refused. Arguments: as of `read_moves`."""
    below = key + CHILD
    return int(db.execute(_REFUSED, (int(since * 1000), key, len(below), below)).fetchone()[0])


def _make_request(db: "sqlite3.Connection", row: tuple[Any, ...]) -> RecordedRequest:
    found: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    shown = {field: found[name] if read is None else read(found[name]) for name, field, read in _SHOWN}
    sent: int | None = found["sent_ms"]
    return RECORDED(
        **shown, tries=_read_attempts(db, found["time"], shown) if sent is None else [_make_only_attempt(sent, shown)]
    )


def _make_only_attempt(sent: int, found: dict[str, Any]) -> RecordedAttempt:
    """Make the only attempt of a request from the request's own row."""
    same = {name: found[name] for name in ("backend", "account", "status", "error")}
    return RecordedAttempt(at_ms=sent, done="", note="", text=found["error_text"] or "", **same)


def _read_attempts(db: "sqlite3.Connection", ms: int, found: dict[str, Any]) -> list[RecordedAttempt]:
    if not found["attempts"]:
        return []
    return [
        RecordedAttempt(
            at_ms=at,
            backend=backend,
            account=account.partition("/")[2],
            status=status,
            error=error,
            done=done,
            note=note,
            text=text,
        )
        for at, backend, account, status, error, done, note, text in db.execute(_TRIES, (ms, found["id"]))
    ]
