"""The columns of a request in the history: where each is from, how it is stored, logged, shown and counted.

The order is that of the access log. The rows of history.db, the queries, the export, the API, the log line, `why` and
the metrics are derived from it (derive.py and what uses it). A new column costs a line here and a step in
database/migrations.py; one that code uses by name, a typed field in HistoryEntry or RecordedRequest too.
"""

from typing import NamedTuple

from router.store.history.storage import (
    ACCOUNT_NAME,
    COUNT,
    DOLLARS,
    FLAG,
    IDENTIFIER,
    MICROSECONDS,
    MILLISECONDS,
    MOMENT,
    NUMBER,
    OPTIONAL_ID,
    OPTIONAL_MICROSECONDS,
    OPTIONAL_NAME,
    OPTIONAL_NUMBER,
    SHARE,
    TEXT_LIMIT,
    TOLD_NAME,
    Storage,
    name,
    text,
    texts,
)


class Column(NamedTuple):
    """One value of a request. Expressions are Python, over `record` (telemetry's RequestRecord), `limits` (what
    wire.headers.rate_limits.billing_and_usage reads from the record's headers) and `hints` (what
    wire.headers.agent_hints.read_hints reads from them)."""

    #: Its name in the table `requests`, and everywhere else unless said otherwise.
    name: str
    #: How it is stored; None when it is not.
    storage: Storage | None = None
    #: The expression of its value in the entry; '' when it is no field of the entry.
    source: str = ""
    #: The field of the entry.
    entry: str | None = None
    #: The attribute of the entry whose value is stored, dotted for a part of a field; '' for a value that is computed
    #: when the row is written.
    stored: str | None = None
    #: The field in the API and in the export; '' for none.
    api: str | None = None
    #: The field of the log line; '' for none.
    log: str = ""
    #: The expression of its value there, where it is not the same as in the entry.
    logged: str = ""
    #: The line of `why` that shows it; '' when it has no line of its own.
    why: str = ""
    #: The type of token it is in the metrics; '' for none.
    metric: str = ""
    #: The role (rollups.ROLES) in which sums are kept by it; '' for none.
    role: str = ""
    #: Whether its sum is kept for each hour.
    summed: bool = False
    #: Whether requests that are written together usually have the same value: it is then computed once for all of them.
    shared: bool = False
    #: Whether few requests have it: it is left out of a statement whose requests all lack it.
    rare: bool = False

    @property
    def field(self) -> str:
        """The field of the entry."""
        return self.name if self.entry is None else self.entry

    @property
    def path(self) -> str:
        """The attribute of the entry whose value is stored."""
        return self.field if self.stored is None else self.stored

    @property
    def shown(self) -> str:
        """The field in the API; '' for none."""
        return (self.name if self.storage else "") if self.api is None else self.api

    @property
    def log_value(self) -> str:
        """The expression of its value in the log line."""
        return self.logged or self.source


#: Names that callers and upstreams choose.
_CHOSEN = name(TEXT_LIMIT, chosen=True)

COLUMNS: tuple[Column, ...] = (
    Column("time", MOMENT, "record.started", entry="started", log="time", logged="utc(record.started)"),
    Column("id", IDENTIFIER, "record.id", log="id"),
    Column("method", name(), "record.method", log="method", shared=True),
    Column("path", text(TEXT_LIMIT), "record.path", log="path", shared=True),
    Column("protocol", name(), "record.protocol", log="protocol", shared=True),
    Column("model", _CHOSEN, "record.model or ''", log="model", logged="record.model", shared=True),
    Column(
        "served",
        _CHOSEN,
        "record.sent_model or ''",
        stored="served_model",
        api="served_model",
        log="sent_model",
        logged="record.sent_model",
        role="model",
        shared=True,
    ),
    Column("backend", name(), "record.backend", log="backend", role="backend", shared=True),
    Column(
        "account",
        ACCOUNT_NAME,
        "record.account",
        stored="full_account",
        log="account",
        role="account",
        shared=True,
    ),
    Column(
        "route",
        OPTIONAL_NAME,
        "record.chosen or record.route or None",
        log="route",
        logged="record.route",
        shared=True,
    ),
    Column("status", NUMBER, "record.status", log="status"),
    Column("error", name(), "record.error", log="error", role="error", shared=True),
    Column("attempts", NUMBER, "record.attempts", log="attempts"),
    Column("stream", FLAG, "record.stream", log="stream", shared=True),
    Column(
        "first_byte_us",
        OPTIONAL_MICROSECONDS,
        "record.first_byte",
        entry="first_byte",
        api="first_byte_ms",
        log="first_byte_ms",
        logged="None if record.first_byte is None else round(record.first_byte * 1000, 1)",
    ),
    Column(
        "total_us",
        MICROSECONDS,
        "record.total",
        entry="total",
        api="total_ms",
        log="total_ms",
        logged="round(record.total * 1000, 1)",
    ),
    Column("tokens_in", COUNT, "record.usage.input", log="tokens_in", metric="input", summed=True),
    Column("tokens_out", COUNT, "record.usage.output", log="tokens_out", metric="output", summed=True),
    Column("cache_read", COUNT, "record.usage.cache_read", log="tokens_cache_read", metric="cache_read", summed=True),
    Column(
        "cache_write", COUNT, "record.usage.cache_write", log="tokens_cache_write", metric="cache_write", summed=True
    ),
    Column("cache_write_1h", COUNT, "record.usage.cache_write_1h", log="tokens_cache_write_1h", rare=True),
    Column("reasoning", COUNT, "record.usage.reasoning", log="tokens_reasoning", summed=True),
    Column("cost", DOLLARS, stored="", api="cost_usd", summed=True),
    Column("price", name(), stored=""),
    # What the provider's cache did not give (policy/cache/causes.py): why, how many tokens, what they cost more, the
    # seconds since the turn before, and more of the cause.
    Column(
        "cache_reason",
        OPTIONAL_NAME,
        "record.cache_loss and record.cache_loss.reason",
        role="cache_loss",
        shared=True,
    ),
    Column("cache_lost", COUNT, "record.cache_loss and record.cache_loss.tokens", summed=True, rare=True),
    Column("cache_lost_cost", DOLLARS, stored="", api="cache_lost_usd", summed=True),
    Column(
        "cache_idle", OPTIONAL_NUMBER, "record.cache_loss and record.cache_loss.idle", api="cache_idle_s", rare=True
    ),
    Column("cache_text", text(160, null=True), "record.cache_loss and record.cache_loss.text", rare=True),
    # What it would have cost to have the cache keep it for the longer time that the provider offers.
    Column("cache_longer_cost", DOLLARS, stored="", api="cache_longer_usd"),
    Column("cache_longer", source="record.cache_loss and record.cache_loss.longer"),
    # What fairlead's own cache of answers gave; of an answer from there, seconds since it came, and what it cost then.
    Column(
        "answer_cache",
        OPTIONAL_NAME,
        "record.answer_cache or None",
        log="answer_cache",
        logged="record.answer_cache",
        role="answer_cache",
        shared=True,
    ),
    Column("answer_age", OPTIONAL_NUMBER, "record.answer_age", api="answer_age_s", rare=True),
    Column("saved_cost", DOLLARS, "record.saved_cost", api="saved_usd", summed=True, rare=True),
    Column("estimated", FLAG, "record.estimated", log="estimated", shared=True),
    Column("client", name(), "record.client", log="client", role="client", shared=True),
    Column("billing", name(64, chosen=True), "limits.billing", log="billing", role="billing", shared=True),
    Column("utilisation", SHARE, "limits.used", log="utilisation"),
    Column(
        "queue_ms",
        MILLISECONDS,
        "record.queued",
        entry="queued",
        log="queue_ms",
        logged="round(record.queued * 1000, 1)",
    ),
    Column("tag", _CHOSEN, "record.tag", log="tag", why="tag", role="tag", shared=True),
    # The name of the client key; those of keys for processes are rows of the key that made them too.
    Column("key", TOLD_NAME, "record.key", log="key", why="key", role="key", shared=True),
    Column(
        "request_class",
        TOLD_NAME,
        "hints.request_class",
        log="request_class",
        why="class",
        role="class",
        shared=True,
    ),
    Column("agent", TOLD_NAME, "hints.agent", log="agent", why="agent", role="agent", shared=True),
    Column("agent_id", OPTIONAL_ID, stored="hints.agent_id", why="agent id", rare=True),
    Column("parent_agent_id", OPTIONAL_ID, stored="hints.parent_agent_id", why="of agent", rare=True),
    Column("prompt_id", OPTIONAL_ID, stored="hints.prompt_id", rare=True),
    Column("losses", texts(1024), "record.losses", why="loss"),
    Column(
        "notes",
        texts(512),
        "'; '.join(record.notes) if record.notes else ''",
        log="notes",
        logged="record.notes",
        why="note",
    ),
    # At most ERROR_BYTES, without secrets (exchange/error_text.py).
    Column("error_text", text(200, null=True), "record.text or None", log="error_text", rare=True),
    # When the only attempt was made; NULL when there were several, which have rows of their own.
    Column("sent_ms", OPTIONAL_NUMBER, stored="", api=""),
    Column("given_up", OPTIONAL_NUMBER, "record.given_up", rare=True),
    Column("bound", OPTIONAL_NAME, stored="binding.account", rare=True),
    Column("session", text(16, null=True), stored="binding.session", rare=True),
    Column("turns", OPTIONAL_NUMBER, stored="binding.turns", rare=True),
    Column("used_5h", SHARE, stored="windows.used_5h", rare=True),
    Column("resets_5h", OPTIONAL_NUMBER, stored="windows.resets_5h", rare=True),
    Column("used_7d", SHARE, stored="windows.used_7d", rare=True),
    Column("resets_7d", OPTIONAL_NUMBER, stored="windows.resets_7d", rare=True),
    # In the entry only: the cost is `charge`, or is found by `root` and `extras`; columns above store parts of the
    # others.
    Column("charge", source="record.usage.charge"),
    Column("extras", source="record.usage.extras"),
    Column("root", source="record.root"),
    Column("trace", source="record.trace"),
    Column("hints", source="hints if record.hints else None"),
    Column("windows", source="limits.windows"),
    Column("tries", source="tuple(record.tries)"),
    Column("binding", source="record.binding"),
)
