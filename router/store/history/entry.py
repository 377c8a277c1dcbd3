"""One finished request as the history, the metrics and the live stream get it."""

from typing import Any

import msgspec

from router.ir import Extras
from router.policy.accounts.attempt import AttemptRecord, BindingRecord
from router.store.history.columns import COLUMNS
from router.store.history.derive import with_fields
from router.wire.headers.agent_hints import AgentHints
from router.wire.headers.rate_limits import Windows


class HistoryEntry(msgspec.Struct, frozen=True, gc=False):
    """One finished request. Each field is declared as a column (columns.COLUMNS) too."""

    id: str
    #: Seconds since 1970.
    started: float
    method: str
    path: str
    #: The kind of client, by its headers; '' when it is not known.
    client: str = ""
    protocol: str = ""
    #: The model that was asked for, and the one the backend was asked for, '' where it is the same.
    model: str = ""
    served: str = ""
    backend: str = ""
    #: The URL by which the backend's prices are found, '' when nobody bills it.
    root: str = ""
    account: str = ""
    #: The status of the answer, 0 when there was none.
    status: int = 0
    error: str = ""
    attempts: int = 0
    #: Seconds spent waiting for an account, to the first byte of the answer, and to its end.
    queued: float = 0.0
    first_byte: float | None = None
    total: float = 0.0
    #: Counts of tokens, None where they are unknown. tokens_in: without those of the cache.
    tokens_in: int | None = None
    tokens_out: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    #: The part of cache_write that stays for an hour.
    cache_write_1h: int | None = None
    reasoning: int | None = None
    #: What the provider says that the request was charged, in billionths of a US dollar.
    charge: int | None = None
    #: What it cost beside plain tokens at the usual price.
    extras: Extras | None = None
    #: What a translation could not carry over, as `path=how; …`.
    losses: str = ""
    stream: bool = False
    #: The class the request was billed to, as the provider names it.
    billing: str = ""
    #: The used share of the account's tightest limit.
    utilisation: float | None = None
    windows: Windows | None = None
    tag: str = ""
    #: The name of the client key, '' for none.
    key: str = ""
    #: The caller's `traceparent` as it came, '' without one.
    trace: str = ""
    #: What kind of request it is, as the client says: main, subagent, workflow, compaction, auxiliary; '' when it does
    #: not say.
    request_class: str = ""
    #: The type or the name of the client's agent that makes it, '' when the client does not say.
    agent: str = ""
    #: All that the client says of its agents; None when it says nothing.
    hints: AgentHints | None = None
    #: Whether the counts of tokens are an estimate.
    estimated: bool = False
    #: What was done to the request, with `; ` between the notes.
    notes: str = ""
    #: What `attempts` counts, as far as it is known.
    tries: tuple[AttemptRecord, ...] = ()
    #: The account the conversation was bound to when the request came.
    binding: BindingRecord | None = None
    #: Cached tokens that were left behind when the account was changed.
    given_up: int | None = None
    #: Why the provider's cache did not give what it should have (policy/cache/causes.py), the tokens, seconds since the
    #: turn before, and more of the cause; None when nothing was lost.
    cache_reason: str | None = None
    cache_lost: int | None = None
    cache_idle: int | None = None
    cache_text: str | None = None
    #: Tokens that would have had to be written for longer for the cache to have had them; None where that is no way.
    cache_longer: int | None = None
    #: What the cache of answers gave: `hit`, `miss`; None where it was not asked. Of an answer from there, the seconds
    #: since it came, and what it cost then, in billionths of a US dollar, None for an unknown price.
    answer_cache: str | None = None
    answer_age: int | None = None
    saved_cost: int | None = None
    #: What chose the backend (a rule, an alias, `prefix`, `catalog`, `fallback`, …); None when nothing did.
    route: str | None = None
    #: The text of the error, at most 200 bytes, without secrets; None when there was no error.
    error_text: str | None = None

    @property
    def served_model(self) -> str:
        """The model the backend was asked for."""
        return self.served or self.model

    @property
    def full_account(self) -> str:
        """`BACKEND/ALIAS`; '' when no backend was asked."""
        return f"{self.backend}/{self.account}" if self.backend else ""


#: The type of entries: HistoryEntry with all columns, also those that no code uses by name.
ENTRY_TYPE: type[HistoryEntry] = with_fields(HistoryEntry, ((column.field, Any) for column in COLUMNS if column.source))

#: Cost in billionths of a US dollar (None: the price is unknown), and where the price is from.
Priced = tuple[int | None, str]
