"""What the requests of one client key used, with those of the keys that it made for processes."""

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from router.policy.budget.budgets import CHILD
from router.store.history.rollups import HOUR_MS, ROLES

if TYPE_CHECKING:
    import sqlite3

_MODELS_LIMIT = 100
# `total` adds up as a float, so that it cannot overflow.
_SUMS = ", ".join(
    f"CAST(total({expression}) AS INTEGER)"
    for expression in (
        "error <> (SELECT id FROM names WHERE text = '') OR status >= 400",
        *("tokens_in", "tokens_out", "cache_read", "cache_write", "estimated", "cost"),
        "cost IS NULL AND (tokens_in IS NOT NULL OR tokens_out IS NOT NULL)",
        "attempts > 1",
    )
)
_WHERE = "FROM requests WHERE time >= ? AND key IN (SELECT id FROM names WHERE text = ? OR substr(text, 1, ?) = ?)"


class ModelCount(msgspec.Struct, kw_only=True):
    """How many requests a model of a backend got."""

    backend: str
    model: str
    requests: int


class KeyBook(msgspec.Struct, kw_only=True):
    """What the requests of a key used, as far as the history has them."""

    requests: int = 0
    #: Requests that failed.
    errors: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cache_read: int = 0
    cache_write: int = 0
    #: Requests whose tokens are an estimate.
    estimated: int = 0
    #: US dollars, without the requests whose model has no price.
    cost_usd: float = 0.0
    #: Requests with tokens whose model has no price.
    unpriced: int = 0
    #: Requests that another account or backend was asked for after the first.
    moved: int = 0
    #: The models that served, most requests first; at most 100.
    models: list[ModelCount] = []


class KeyedRequest(NamedTuple):
    """A request that came with a key."""

    name: str
    #: Seconds since 1970.
    time: float
    tokens: int


_LATEST_LIMIT = 100_000


def read_latest_keyed(db: "sqlite3.Connection", since: float) -> list[KeyedRequest]:
    """The requests with a key since a moment (seconds since 1970), the oldest first; at most 100,000."""
    rows = db.execute(
        "SELECT names.text, time / 1000.0, coalesce(tokens_in, 0) + coalesce(cache_write, 0) + coalesce(tokens_out, 0) "
        "FROM requests JOIN names ON names.id = key WHERE time >= ? AND names.text <> '' ORDER BY time LIMIT ?",
        (int(since * 1000), _LATEST_LIMIT),
    )
    return [KeyedRequest(*row) for row in rows]


class KeyUse(msgspec.Struct, kw_only=True):
    """What a key has used as far back as the history goes."""

    requests: int = 0
    #: Billionths of a US dollar.
    cost: int = 0
    #: Within an hour: seconds since 1970.
    last_used: float = 0.0


def read_uses(db: "sqlite3.Connection") -> dict[str, KeyUse]:
    """By name, what each key has used, with those that it made for processes."""
    rows = db.execute(
        "SELECT names.text, CAST(total(requests) AS INTEGER), CAST(total(cost) AS INTEGER), max(hour) FROM rollups "
        "JOIN names ON names.id = name WHERE role = ? AND names.text <> '' GROUP BY names.text",
        (ROLES.index("key"),),
    )
    found: dict[str, KeyUse] = {}
    for name, requests, cost, hour in rows:
        parts = name.split(CHILD)
        for count in range(1, len(parts) + 1):
            use = found.setdefault(CHILD.join(parts[:count]), KeyUse())
            use.requests += requests
            use.cost += cost
            use.last_used = max(use.last_used, hour * HOUR_MS / 1000)
    return found


def read_book(db: "sqlite3.Connection", name: str, since: float) -> KeyBook:
    """The book of a key. since: seconds since 1970."""
    below = name + CHILD
    values = (int(since * 1000), name, len(below), below)
    requests, *sums = db.execute(f"SELECT count(*), {_SUMS} {_WHERE}", values).fetchone()
    rows = db.execute(
        "SELECT backends.text, models.text, count(*) FROM (SELECT backend, served "  # noqa: S608 - no values in it
        f"{_WHERE}) JOIN names AS backends ON backends.id = backend JOIN names AS models ON models.id = served "
        f"GROUP BY backend, served ORDER BY 3 DESC LIMIT {_MODELS_LIMIT}",
        values,
    )
    models = [ModelCount(backend=row[0], model=row[1], requests=row[2]) for row in rows]
    errors, tokens_in, tokens_out, cache_read, cache_write, estimated, cost, unpriced, moved = sums
    return KeyBook(
        requests=requests,
        errors=errors,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cache_read=cache_read,
        cache_write=cache_write,
        estimated=estimated,
        cost_usd=cost / 1e9,
        unpriced=unpriced,
        moved=moved,
        models=[one for one in models if one.backend],
    )
