"""The schema of history.db, as the steps that lead to it.

Rules of this file: steps are only added at the end, and one that was released is never changed; a step leaves tables
that older versions write to usable for them, since they may still run on the same home.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

#: Each step is the statements that lead from one version (`PRAGMA user_version`) to the next.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # used: seconds since 1970 when the id was issued or last asked for, give or take a day.
        """CREATE TABLE owners (
            id TEXT PRIMARY KEY, backend TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, used INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX owners_by_use ON owners (used)",
        "CREATE INDEX owners_by_kind ON owners (kind)",
    ),
    (
        # Texts that many rows have, stored once each; a row has the number.
        "CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
        # time: ms since 1970. queue_ms, first_byte_us, total_us: durations. cost: billionths of a US dollar, null for
        # an unknown price. tokens_in: without those from the cache. utilisation: used share of the tightest limit.
        """CREATE TABLE requests (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL, time INTEGER NOT NULL, method INTEGER NOT NULL,
            client INTEGER NOT NULL, protocol INTEGER NOT NULL, path TEXT NOT NULL, model INTEGER NOT NULL,
            served INTEGER NOT NULL, backend INTEGER NOT NULL, account INTEGER NOT NULL, status INTEGER NOT NULL,
            error INTEGER NOT NULL, attempts INTEGER NOT NULL, queue_ms INTEGER NOT NULL, first_byte_us INTEGER,
            total_us INTEGER NOT NULL, tokens_in INTEGER, tokens_out INTEGER, cache_read INTEGER, cache_write INTEGER,
            reasoning INTEGER, cost INTEGER, price INTEGER NOT NULL, losses TEXT NOT NULL, stream INTEGER NOT NULL,
            billing INTEGER NOT NULL, utilisation REAL, tag INTEGER NOT NULL, estimated INTEGER NOT NULL,
            notes TEXT NOT NULL
        )""",
        "CREATE UNIQUE INDEX requests_by_id ON requests (id)",
        "CREATE INDEX requests_by_time ON requests (time)",
        # Sums of one hour (since 1970) for one name in one role (its position in history/rollups.ROLES). first, total:
        # histograms (history/histogram).
        """CREATE TABLE rollups (
            hour INTEGER NOT NULL, role INTEGER NOT NULL, name INTEGER NOT NULL, requests INTEGER NOT NULL,
            errors INTEGER NOT NULL, estimated INTEGER NOT NULL, unpriced INTEGER NOT NULL, tokens_in INTEGER NOT NULL,
            tokens_out INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
            reasoning INTEGER NOT NULL, cost INTEGER NOT NULL, first BLOB NOT NULL, total BLOB NOT NULL,
            PRIMARY KEY (hour, role, name)
        ) WITHOUT ROWID""",
    ),
    (
        # sent_ms: when the only attempt was made, counted from `time`; null when there were several, which are in
        # `attempts`. bound, session, turns: the binding that held. given_up: tokens a move left behind in a cache.
        # used_*, resets_*: the two windows of a subscription; shares, and seconds since 1970.
        *(
            f"ALTER TABLE requests ADD COLUMN {column}"
            for column in (
                *("sent_ms INTEGER", "bound INTEGER", "session TEXT", "turns INTEGER", "given_up INTEGER"),
                *("used_5h REAL", "resets_5h INTEGER", "used_7d REAL", "resets_7d INTEGER"),
            )
        ),
        # time, request: those of the request's row.
        """CREATE TABLE attempts (
            time INTEGER NOT NULL, request TEXT NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL,
            backend INTEGER NOT NULL, account INTEGER NOT NULL, status INTEGER NOT NULL, error INTEGER NOT NULL,
            done INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (time, request, number)
        ) WITHOUT ROWID""",
    ),
    (
        # body: JSON, a stored response or the id of the response that holds the item. used: seconds since 1970.
        "CREATE TABLE kept (id TEXT PRIMARY KEY, body BLOB NOT NULL, used INTEGER NOT NULL)",
        "CREATE INDEX kept_by_use ON kept (used)",
    ),
    (
        # Of the guard (shared/budgets.py). book: scope|unit|term. spent: billionths of a US dollar, or tokens; base: of
        # it, what no longer counts since a halt was lifted. began: of the term, seconds since 1970.
        """CREATE TABLE guard_books (
            book TEXT PRIMARY KEY, began REAL NOT NULL, spent INTEGER NOT NULL, base INTEGER NOT NULL,
            lim INTEGER NOT NULL
        ) WITHOUT ROWID""",
        # turn: the last of the process's rounds that is in the file.
        """CREATE TABLE guard_processes (
            process TEXT PRIMARY KEY, pid INTEGER NOT NULL, beat REAL NOT NULL, turn INTEGER NOT NULL
        ) WITHOUT ROWID""",
        # held: what a process may have outstanding; running: reserved of it; wanted: since when a
        # request waits for more (ms since 1970; 1 by older versions), 0 for none.
        """CREATE TABLE guard_shares (
            book TEXT NOT NULL, process TEXT NOT NULL, held INTEGER NOT NULL, running INTEGER NOT NULL,
            wanted INTEGER NOT NULL, PRIMARY KEY (book, process)
        ) WITHOUT ROWID""",
        # since, until: seconds since 1970. book: of the budget that was used up, '' for another reason.
        """CREATE TABLE guard_halts (
            scope TEXT PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL, reason TEXT NOT NULL,
            request TEXT NOT NULL, book TEXT NOT NULL
        ) WITHOUT ROWID""",
    ),
    (
        # route: what chose the backend. error_text: of the answer, null when it was good.
        "ALTER TABLE requests ADD COLUMN route INTEGER",
        "ALTER TABLE requests ADD COLUMN error_text TEXT",
        # The errors of attempts that have rows in `attempts`: older versions insert into that by position, so it keeps
        # its columns.
        """CREATE TABLE attempt_errors (
            time INTEGER NOT NULL, request TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
            PRIMARY KEY (time, request, number)
        ) WITHOUT ROWID""",
    ),
    # The part of cache_write that stays for an hour.
    ("ALTER TABLE requests ADD COLUMN cache_write_1h INTEGER",),
    (
        # Of models, as errors told them, in tokens: of input and output together, and of the input. at: seconds since
        # 1970.
        """CREATE TABLE learned_limits (
            backend TEXT NOT NULL, model TEXT NOT NULL, window INTEGER, max_input INTEGER, at REAL NOT NULL,
            PRIMARY KEY (backend, model)
        ) WITHOUT ROWID""",
    ),
    (
        # What a provider's cache did not give: why (a name), tokens, their cost in billionths of a US dollar, seconds
        # since the turn before, and names and numbers of the cause.
        *(
            f"ALTER TABLE requests ADD COLUMN {column}"
            for column in (
                *("cache_reason INTEGER", "cache_lost INTEGER", "cache_lost_cost INTEGER", "cache_idle INTEGER"),
                "cache_text TEXT",
            )
        ),
        "ALTER TABLE rollups ADD COLUMN cache_lost INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE rollups ADD COLUMN cache_lost_cost INTEGER NOT NULL DEFAULT 0",
    ),
    # What the client says of the request and of the agent that makes it; the first two are numbers of names.
    tuple(
        f"ALTER TABLE requests ADD COLUMN {column}"
        for column in (
            *("request_class INTEGER", "agent INTEGER"),
            *("agent_id TEXT", "parent_agent_id TEXT", "prompt_id TEXT"),
        )
    ),
    # The name of the client key: that of the caller, and of the one to which an id was issued.
    ("ALTER TABLE requests ADD COLUMN key INTEGER", "ALTER TABLE owners ADD COLUMN key TEXT NOT NULL DEFAULT ''"),
    (
        # What it would have cost to have the cache keep a prompt for longer that it lost, in billionths of a US dollar.
        "ALTER TABLE requests ADD COLUMN cache_longer_cost INTEGER",
        # After how many seconds a prompt was still in a model's cache, and was gone from it; 0 where that was not seen.
        # at: seconds since 1970.
        """CREATE TABLE seen_lifetimes (
            backend TEXT NOT NULL, model TEXT NOT NULL, kept INTEGER NOT NULL, dropped INTEGER NOT NULL,
            at REAL NOT NULL, PRIMARY KEY (backend, model)
        ) WITHOUT ROWID""",
    ),
    (
        # What the cache of answers gave (a name); of an answer from there, the seconds since it came, and what it cost
        # then, in billionths of a US dollar.
        "ALTER TABLE requests ADD COLUMN answer_cache INTEGER",
        "ALTER TABLE requests ADD COLUMN answer_age INTEGER",
        "ALTER TABLE requests ADD COLUMN saved_cost INTEGER",
        "ALTER TABLE rollups ADD COLUMN saved_cost INTEGER NOT NULL DEFAULT 0",
    ),
)

_NO_GUARD = (
    "CREATE TEMP TABLE guard_books (book, began, spent, base, lim)",
    "CREATE TEMP TABLE guard_halts (scope, since, until, reason, request, book)",
)
_NO_LEARNED = "CREATE TEMP TABLE learned_limits (backend, model, window, max_input, at)"
_NO_ANSWERS = "NULL AS answer_cache, NULL AS answer_age, NULL AS saved_cost FROM main.requests"
_NO_LONGER = f"NULL AS cache_longer_cost, {_NO_ANSWERS}"
_NO_KEY = f"NULL AS key, {_NO_LONGER}"
_NO_HINTS = (
    f"NULL AS request_class, NULL AS agent, NULL AS agent_id, NULL AS parent_agent_id, NULL AS prompt_id, {_NO_KEY}"
)
_NO_LOSS = (
    "NULL AS cache_reason, NULL AS cache_lost, NULL AS cache_lost_cost, NULL AS cache_idle, NULL AS cache_text, "
    f"{_NO_HINTS}"
)
_NO_HOUR = f"NULL AS cache_write_1h, {_NO_LOSS}"
_NO_SAVED = "CREATE TEMP VIEW rollups AS SELECT *, 0 AS saved_cost FROM main.rollups"
_NO_SUMS = (
    "CREATE TEMP VIEW rollups AS SELECT *, 0 AS cache_lost, 0 AS cache_lost_cost, 0 AS saved_cost FROM main.rollups"
)
_NO_TEXTS = f"NULL AS route, NULL AS error_text, {_NO_HOUR}"
_NO_ATTEMPT_ERRORS = "CREATE TEMP TABLE attempt_errors (time, request, number, text)"
_WITHOUT_TEXTS = (
    f"CREATE TEMP VIEW requests AS SELECT *, {_NO_TEXTS}",
    _NO_SUMS,
    _NO_ATTEMPT_ERRORS,
    _NO_LEARNED,
)
#: For each older version that can be read as it is: statements that make it look like the newest, on a connection that
#: only reads.
SEEN_AS_NEWEST: Mapping[int, tuple[str, ...]] = {
    2: (
        "CREATE TEMP VIEW requests AS SELECT *, NULL AS sent_ms, NULL AS bound, NULL AS session, NULL AS turns, "
        "NULL AS given_up, NULL AS used_5h, NULL AS resets_5h, NULL AS used_7d, NULL AS resets_7d, "
        f"{_NO_TEXTS}",
        "CREATE TEMP TABLE attempts (time, request, number, at_ms, backend, account, status, error, done, note)",
        _NO_SUMS,
        _NO_ATTEMPT_ERRORS,
        _NO_LEARNED,
        *_NO_GUARD,
    ),
    3: (*_WITHOUT_TEXTS, *_NO_GUARD),
    4: (*_WITHOUT_TEXTS, *_NO_GUARD),
    5: _WITHOUT_TEXTS,
    6: (f"CREATE TEMP VIEW requests AS SELECT *, {_NO_HOUR}", _NO_SUMS, _NO_LEARNED),
    7: (f"CREATE TEMP VIEW requests AS SELECT *, {_NO_LOSS}", _NO_SUMS, _NO_LEARNED),
    8: (f"CREATE TEMP VIEW requests AS SELECT *, {_NO_LOSS}", _NO_SUMS),
    9: (f"CREATE TEMP VIEW requests AS SELECT *, {_NO_HINTS}", _NO_SAVED),
    10: (f"CREATE TEMP VIEW requests AS SELECT *, {_NO_KEY}", _NO_SAVED),
    11: (f"CREATE TEMP VIEW requests AS SELECT *, {_NO_LONGER}", _NO_SAVED),
    12: (f"CREATE TEMP VIEW requests AS SELECT *, {_NO_ANSWERS}", _NO_SAVED),
}


class NewerSchema(Exception):
    """The file was written by a newer version."""

    def __init__(self, found: int):
        super().__init__(f"version {found}")
        #: The number of that version.
        self.found = found


def migrate(db: "sqlite3.Connection", steps: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Migrate the database from its version to the last one: all steps, or none. Raises NewerSchema, sqlite3.Error.

    db: in autocommit mode, so that the transaction here is the only one.
    """
    if version(db, steps) == len(steps):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated it meanwhile.
        for step in steps[version(db, steps) :]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(steps)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def version(db: "sqlite3.Connection", steps: tuple[tuple[str, ...], ...] = MIGRATIONS) -> int:
    """How many of the steps were run on the database. Raises NewerSchema, sqlite3.Error."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > len(steps):
        raise NewerSchema(found)
    return found
