"""The tables of config.toml: the conditions and effects of a rule, the options of a backend, prices, facts of models.

Each key is declared once, at the field that holds it: its name in the file, its kind and its help.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import msgspec

from router.backends import PROTOCOLS
from router.backends.providers import PROVIDERS
from router.settings.fields import (
    BACKEND_NAMES,
    CHAIN,
    FIELD_PATHS,
    FIELDS,
    HEADER_NAMES,
    HEADERS,
    MODEL_GLOBS,
    TAG,
)
from router.settings.kinds import (
    BACKEND,
    BUDGET,
    CAP,
    DATE,
    DAY,
    MODEL,
    MONEY,
    PLACES,
    RATE,
    SIZE,
    SWITCH,
    TEXT,
    TIME,
    TOKENS,
    WINDOW,
    Frozen,
    Kind,
    choice,
    clean,
    words,
)
from router.settings.profile import PROFILE

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
#: What kinds of requests coding agents say they make. main: a turn of the conversation with the user. workflow: of an
#: agent within a workflow. compaction: the summary of a conversation that has become too long. auxiliary: titles,
#: classifiers, searches.
REQUEST_CLASSES = ("main", "subagent", "workflow", "compaction", "auxiliary")


class Entry(msgspec.Struct, frozen=True):
    """One key of a table."""

    #: Dotted, within the table.
    key: str
    kind: Kind
    help: str
    #: The field that holds the value.
    attribute: str = ""


def _declare(kind: Kind, default: Any, about: str, *, key: str = "") -> Any:
    return field(default=default, metadata={"entry": Entry(key, kind, about)})


def list_entries(shape: type, prefix: str = "") -> tuple[Entry, ...]:
    """The declared keys of a table's class, with `prefix` before each."""
    found: list[Entry] = []
    for one in fields(shape):
        entry: Entry | None = one.metadata.get("entry")
        if entry is not None:
            found.append(Entry(prefix + (entry.key or one.name), entry.kind, entry.help, one.name))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What a rule or a backend's table changes in a request, apart from its route. The help of each field says more."""

    set_headers: Mapping[str, str] = _declare(HEADERS, Frozen[str](), "header names and the values they are sent with")
    remove_headers: tuple[str, ...] = _declare(HEADER_NAMES, (), "headers that are not sent on")
    set_fields: Mapping[str, Any] = _declare(
        FIELDS, Frozen[Any](), 'body fields by their dotted path in quotes, and the values they get: {"a.b" = 1}'
    )
    remove_fields: tuple[str, ...] = _declare(FIELD_PATHS, (), "body fields that are not sent on, by their dotted path")
    effort: Effort | None = _declare(
        choice("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        None,
        "reasoning effort, put where the protocol has it",
    )
    max_tokens: int | None = _declare(CAP, None, "upper bound for the output limit; lowers it, never raises it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a rule applies: every given condition must hold. None and '' are not given. Input tokens are estimated by
    the text of the body, and by what earlier answers of the session told."""

    model: str = _declare(MODEL, "", "glob on the model's name after aliases, such as claude-*; case does not matter")
    protocol: str = _declare(choice(*PROTOCOLS), "", "protocol of the request")
    client: str = _declare(
        Kind("a client's name, such as claude-code", "text", lambda text: TEXT.parse_text(text).lower()),
        "",
        "tool that sent it, such as claude-code",
    )
    request_class: str = _declare(
        choice(*REQUEST_CLASSES),
        "",
        "kind of request, as Codex says, and Claude Code with the variable that `fairlead env --tool claude` sets",
        key="class",
    )
    tokens_over: int | None = _declare(TOKENS, None, "estimated input tokens are more than this")
    tokens_under: int | None = _declare(TOKENS, None, "estimated input tokens are fewer than this")
    tools: bool | None = _declare(SWITCH, None, "whether the request declares tools")
    server_tool: str = _declare(
        choice("web_search"), "", "tool of the provider that is its only one, as in the web search of Claude Code"
    )
    images: bool | None = _declare(SWITCH, None, "whether it holds images")
    thinking: bool | None = _declare(SWITCH, None, "whether it asks for thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """The part of a rule or of a model's table that has answers kept and given again. None: not given; one that is
    given switches the cache on, and the others have their defaults."""

    cache_ttl: float | None = _declare(
        TIME,
        None,
        "switches the cache of answers on: one is kept in a private file of the home, and given again for so long to "
        "equal requests of the same client key; embeddings, token counts and text at temperature 0 alone",
        key="cache.ttl",
    )
    cache_max: int | None = _declare(
        SIZE,
        None,
        "how much the answers may take on the disk (default 64MiB); those unused for longest go first",
        key="cache.max",
    )
    cache_tools: bool | None = _declare(
        SWITCH,
        None,
        "also keep answers to requests that declare tools: a client carries out a call that it is given again",
        key="cache.tools",
    )

    @property
    def caches(self) -> bool:
        """True where answers are kept."""
        return (self.cache_ttl, self.cache_max, self.cache_tools) != (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(CacheOptions):
    """One entry of `[[routes]]`."""

    #: `route 2` when the user gave none.
    name: str = _declare(TEXT, "", "its name in explain and in the log")
    when: Condition = Condition()
    #: '' leaves the choice to the later steps of routing.
    backend: str = _declare(BACKEND, "", "backend the request goes to")
    #: '' keeps the name.
    model: str = _declare(MODEL, "", "model name to send instead")
    fallback: tuple[str, ...] = _declare(
        CHAIN, (), "BACKEND:MODEL to try in turn when its accounts cannot serve, instead of the table fallback"
    )
    edits: Edits = Edits()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """`[backends.NAME]`: the options of one backend. None: the general setting. Times are seconds."""

    connect: float | None = _declare(TIME, None, "timeout for connecting to it", key="timeouts.connect")
    first_byte: float | None = _declare(
        TIME, None, "timeout for the response headers of a stream", key="timeouts.first_byte"
    )
    idle: float | None = _declare(TIME, None, "timeout between two reads of a stream", key="timeouts.idle")
    total: float | None = _declare(TIME, None, "timeout for a whole request", key="timeouts.total")
    usage_probe: bool | None = _declare(SWITCH, None, "ask Chat streams for usage, as for all backends or not")
    ask_identity: bool | None = _declare(SWITCH, None, "ask for uncompressed answers")
    strip_attribution: bool | None = _declare(SWITCH, None, "remove Claude Code's billing line from the system prompt")
    rpm: int | None = _declare(RATE, None, "requests per minute, for all its accounts together; more wait")
    tpm: int | None = _declare(RATE, None, "tokens per minute, as rpm: estimated first, counted when an answer ends")
    min_interval: float | None = _declare(TIME, None, "least time between two requests")
    max_concurrent: int | None = _declare(PLACES, None, "maximum concurrent requests, instead of queue.max_concurrent")
    auto_cache: bool | None = _declare(SWITCH, None, "ask for prompt caching in translated requests")
    cache_marks: bool | None = _declare(
        SWITCH, None, "add a cache mark to passed-through Messages requests that have none"
    )
    translate_as: str = _declare(
        choice(*sorted(entry.name for entry in PROVIDERS if entry.profile is not None)),
        "",
        "provider whose habits a translated request is written for",
    )
    profile: Mapping[str, Any] = _declare(
        PROFILE, Frozen[Any](), "single habits that differ from that provider's: { tool_images = true }"
    )
    budget_day_usd: float | None = _declare(BUDGET, None, "US dollars for a day", key="budget.day_usd")
    budget_month_usd: float | None = _declare(BUDGET, None, "US dollars for a month", key="budget.month_usd")
    budget_day_tokens: int | None = _declare(CAP, None, "tokens for a day", key="budget.day_tokens")
    budget_month_tokens: int | None = _declare(CAP, None, "tokens for a month", key="budget.month_tokens")
    edits: Edits = Edits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """`[prices."MODEL"]`: US dollars per million tokens. None: unknown; cache tokens then cost as other input. Input
    and output are needed: without one of them hardly a request has a price."""

    input: float | None = _declare(MONEY, None, "US dollars per million input tokens")
    output: float | None = _declare(MONEY, None, "US dollars per million output tokens")
    cache_read: float | None = _declare(MONEY, None, "US dollars per million tokens read from the cache")
    cache_write: float | None = _declare(MONEY, None, "US dollars per million tokens written to the cache")
    cache_write_1h: float | None = _declare(
        MONEY, None, "US dollars per million tokens written to the cache for an hour; twice the input price if unset"
    )

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys that are needed and not set."""
        return tuple(key for key in ("input", "output") if getattr(self, key) is None)

    def explain_half(self, model: str) -> str:
        """In words, with the commands that help, why this is no price for a model; '' when it is one."""
        if not self.missing:
            return ""
        lacks = " and no ".join(self.missing)
        commands = "   and   ".join(format_price_command(model, key) for key in self.missing)
        return f"prices.{clean(model)} has no {lacks} price, so its requests are not priced. Set it:   {commands}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions(CacheOptions):
    """`[models."MODEL"]`, or `[models."BACKEND:MODEL"]` for one backend alone: what the user knows of a model, which
    counts before everything else that is known. None: not given."""

    window: int | None = _declare(WINDOW, None, "tokens of input and output together that it takes")
    max_input: int | None = _declare(WINDOW, None, "tokens of input that it takes")
    max_output: int | None = _declare(WINDOW, None, "tokens of output that it writes at most")
    price_tier_at: int | None = _declare(WINDOW, None, "tokens of input above which a higher price holds")
    modalities: tuple[str, ...] | None = _declare(
        words("kinds of input", "text", "image", "audio", "video", "file"), None, "kinds of input that it takes"
    )
    efforts: tuple[str, ...] | None = _declare(
        words("efforts", "none", "minimal", "low", "medium", "high", "xhigh", "max"),
        None,
        "reasoning efforts that it takes, [] for none; others are replaced by the nearest in translated requests",
    )
    retires: str | None = _declare(DATE, None, "the day on which it ends")
    successor: str | None = _declare(MODEL, None, "the model to use in its place")
    title: str | None = _declare(TEXT, None, "its name for people, as /v1/models shows it")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions:
    """`[keys.NAME]`: what the client key of that name may use. None: no limit. Its secret is not in config.toml."""

    models: tuple[str, ...] | None = _declare(
        MODEL_GLOBS, None, "globs on the models it may use: on the alias asked for, the model sent, or BACKEND:MODEL"
    )
    backends: tuple[str, ...] | None = _declare(BACKEND_NAMES, None, "backends it may use")
    expires: str | None = _declare(DAY, None, "the last day on which it is valid, in local time")
    rpm: int | None = _declare(RATE, None, "requests per minute; more wait, for queue.timeout at most")
    tpm: int | None = _declare(RATE, None, "tokens per minute, as rpm: estimated first, counted when an answer ends")
    max_concurrent: int | None = _declare(PLACES, None, "requests at a time; more wait")
    budget_day_usd: float | None = _declare(BUDGET, None, "US dollars for a day", key="budget.day_usd")
    budget_month_usd: float | None = _declare(BUDGET, None, "US dollars for a month", key="budget.month_usd")
    budget_day_tokens: int | None = _declare(CAP, None, "tokens for a day", key="budget.day_tokens")
    budget_month_tokens: int | None = _declare(CAP, None, "tokens for a month", key="budget.month_tokens")
    paths: str = _declare(
        choice("inference", "all", "models"),
        "inference",
        "inference: what a model answers, and the list of models; models: that list alone; all: files, batches and "
        "the like too",
    )
    tag: str = _declare(TAG, "", "tag of its requests, whatever x-fairlead-tag says")
    auth_client: bool | None = _declare(
        SWITCH, None, "may use backends with auth=client, to which the tool's own login goes; not set: a tool's key may"
    )


def format_price_command(model: str, key: str) -> str:
    """The command that sets one key of a model's price."""
    return f"fairlead config set {shlex.quote(f'prices.{clean(model)}.{key}')} \N{HORIZONTAL ELLIPSIS}"


PRICE: tuple[Entry, ...] = list_entries(Price)
MODEL_OPTIONS: tuple[Entry, ...] = list_entries(ModelOptions)
KEY_OPTIONS: tuple[Entry, ...] = list_entries(KeyOptions)
ROUTE: tuple[Entry, ...] = (*list_entries(Rule), *list_entries(Condition, "when."), *list_entries(Edits))
BACKENDS: tuple[Entry, ...] = (*list_entries(BackendOptions), *list_entries(Edits))
