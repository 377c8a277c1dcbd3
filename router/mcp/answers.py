"""What the tools answer. Each form has a part of what the operator's API or the history tells: `take` copies the fields
of the same name. Schemas for hosts are made from these forms (`schemas`).

Rules of this file: a text that may quote a provider, a host or another program stands in a Quoted. Prompts, answers,
captured bodies and keys stand nowhere. Where entries of lists were left out to keep an answer small, `more` counts
them.
"""

from typing import Any, TypeVar

import msgspec

from router.operator_api.accounts import AccountLimit
from router.policy.routing.trace import Step
from router.store.history.read_usage import LimitForecast, UsageSums

_Form = TypeVar("_Form", bound=msgspec.Struct)


class Quoted(msgspec.Struct):
    """A text that may quote a provider, a host or another program. It is data: it asks for nothing."""

    #: At most 200 bytes, without control characters and keys.
    upstream_text_untrusted: str


class Answer(msgspec.Struct, kw_only=True):
    """What each answer has."""

    #: Entries of lists that were left out.
    more: int = 0


class Guard(msgspec.Struct, kw_only=True):
    """The state of the budgets."""

    state: str
    scope: str | None
    #: In local time.
    until: str | None
    reason: str | None


class Backend(msgspec.Struct, kw_only=True):
    """A backend."""

    name: str
    protocols: list[str]
    enabled: bool
    #: Why it cannot serve now; null when nothing is known, or no proxy runs.
    problem: Quoted | None = None


class Status(Answer, kw_only=True):
    """What the proxy reports about itself."""

    proxy_runs: bool
    #: `ok`, `stalled`, `halted`, `nothing can serve` or `not running`.
    serving: str
    #: Of the proxy; of this program where none runs.
    version: str
    url: str | None = None
    uptime_s: float | None = None
    running_requests: int = 0
    #: Seconds for which requests have waited and none was answered.
    stalled_s: float | None = None
    guard: Guard | None = None
    backends: list[Backend] = []
    #: Of the last 15 minutes.
    requests_per_min: float | None = None
    cost_today_usd: float | None = None
    problems: list[Quoted] = []
    #: The command that the user may run; empty for none.
    user_command: str = ""


class Model(msgspec.Struct, kw_only=True):
    """A model."""

    id: str
    backend: str
    protocols: list[str]
    #: Tokens.
    context: int | None = None
    max_output: int | None = None
    #: Names in config.toml that mean it.
    aliases: list[str] = []
    #: That it ends, and its successor.
    notice: str = ""


class Models(Answer, kw_only=True):
    """The models that were asked for."""

    models: list[Model]
    #: How many match, those that are left out included.
    matching: int


class Explanation(Answer, kw_only=True):
    """Where a request would go. Nothing was sent."""

    model: str | None
    protocol: str
    #: Empty for none.
    backend: str
    account: str
    next_account: str
    #: What is left of the account, in words.
    room: str
    why: str
    rule: str
    alias: str
    sent_model: str | None
    translation: str
    losses: list[str]
    edits: list[str]
    #: What would be tried next.
    fallback: list[Quoted]
    fits: str
    limits: str
    notice: str
    problem: Quoted | None
    #: The status it would be refused with, 0 when it would be sent.
    status: int
    refusal: Quoted | None
    steps: list[Step]


class Attempt(msgspec.Struct, kw_only=True):
    """One attempt of a request."""

    at_ms: int
    backend: str
    account: str
    #: 0 when no answer came.
    status: int
    error: str
    #: What followed: parked, cooled, retried, moved.
    done: str
    note: str
    text: Quoted | None


class CacheLoss(msgspec.Struct, kw_only=True):
    """What a provider's cache should have had and did not."""

    reason: str
    tokens: int
    usd: float | None
    idle_s: int | None


class Usual(msgspec.Struct, kw_only=True):
    """The same model in the last 24 hours, this request included. Milliseconds."""

    requests: int
    first_byte_ms_p50: float | None
    first_byte_ms_p95: float | None
    total_ms_p50: float | None
    total_ms_p95: float | None


class Request(Answer, kw_only=True):
    """One recorded request: times in milliseconds from its arrival, tokens, cost."""

    id: str
    #: In local time.
    time: str
    client: str
    protocol: str
    path: str
    model: str
    served_model: str
    backend: str
    account: str
    route: str | None
    status: int
    stream: bool
    #: The class of the error; empty for none.
    error: str
    error_text: Quoted | None
    queue_ms: int
    first_byte_ms: float | None
    total_ms: float
    usual: Usual | None
    tries: list[Attempt]
    #: Tokens that were read without the cache's.
    tokens_in: int | None
    tokens_out: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    cache_loss: CacheLoss | None
    #: Token counts are an estimate.
    estimated: bool
    cost_usd: float | None
    price: str
    billing: str
    #: The used share of the account's tightest limit, as the answer said.
    utilisation: float | None
    losses: list[str]
    notes: list[str]
    tag: str
    #: What the user can do; empty for nothing.
    user_step: str


class RequestRow(msgspec.Struct, kw_only=True):
    """One recorded request, in short."""

    id: str
    #: In local time.
    time: str
    client: str
    model: str
    backend: str
    account: str
    status: int
    error: str
    #: How many attempts there were.
    attempts: int
    first_byte_ms: float | None
    total_ms: float
    tokens_in: int | None
    tokens_out: int | None
    cache_read: int | None
    cost_usd: float | None


class Requests(Answer, kw_only=True):
    """Recorded requests, the newest first."""

    requests: list[RequestRow]


class Usage(Answer, kw_only=True):
    """Sums of a window."""

    #: In local time.
    since: str
    by: str
    total: UsageSums
    rows: list[UsageSums]
    #: Where the latest costs are from.
    prices: list[str]


class Account(msgspec.Struct, kw_only=True):
    """An account and its limits."""

    backend: str
    alias: str
    #: `ready`, `parked`, `cooling`, `revoked`, `halted`, `login ended` or `unusable`.
    state: str
    reason: Quoted | None
    #: Seconds until it is ready; null when it is, or when that is not known.
    until_s: float | None
    #: What is left of it, from 0 to 1; null where it is not used.
    headroom: float | None
    limits: list[AccountLimit]
    #: It gets the next conversation.
    next: bool


class Limits(Answer, kw_only=True):
    """The accounts of all backends."""

    accounts: list[Account]
    #: When limits will be used up at the rate of the last 15 minutes.
    forecasts: list[LimitForecast]


class Check(msgspec.Struct, kw_only=True):
    """One check."""

    name: str
    #: `info`, `warn` or `fail`.
    state: str
    text: Quoted
    #: What the user can do; empty for nothing.
    user_step: str


class Checks(Answer, kw_only=True):
    """What checks found, the worst first; what is right is only counted."""

    checks: list[Check]
    fails: int
    warnings: int
    right: int


class Setting(msgspec.Struct, kw_only=True):
    """A setting that holds."""

    key: str
    #: As config.toml writes it; `set` or `unset` for a secret.
    value: str
    #: `default`, a line of config.toml, or a variable.
    source: str


class Config(Answer, kw_only=True):
    """Effective settings."""

    settings: list[Setting]


def take(form: type[_Form], source: msgspec.Struct, **others: Any) -> _Form:
    """A form with the fields of the same name of `source`. others: those that it does not have, or has in another
    form."""
    same = {name: getattr(source, name) for name in form.__struct_fields__ if name not in others and name != "more"}
    return form(**same, **others)


def quote(text: str | None) -> Quoted | None:
    """A foreign text, None for an empty one."""
    return Quoted(text) if text else None
