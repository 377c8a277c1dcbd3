"""The shapes of config.toml's tables: what a rule asks and does, and what is set for one backend.

Each key is declared once, at the field that holds it: its name in the file, its kind and its help.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import msgspec

from router.backends import PROTOCOLS
from router.backends.providers import PROVIDERS
from router.settings.fields import CHAIN, FIELD_PATHS, FIELDS, HEADER_NAMES, HEADERS
from router.settings.kinds import (
    BACKEND,
    BUDGET,
    CAP,
    MODEL,
    MONEY,
    PLACES,
    RATE,
    SWITCH,
    TEXT,
    TIME,
    TOKENS,
    Frozen,
    Kind,
    choice,
)
from router.settings.profile import PROFILE

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Entry(msgspec.Struct, frozen=True):
    """One key of a table. key: dotted, within the table. attribute: the field that holds the value."""

    key: str
    kind: Kind
    help: str
    attribute: str = ""


def _entry(kind: Kind, default: Any, about: str, *, key: str = "") -> Any:
    return field(default=default, metadata={"entry": Entry(key, kind, about)})


def entries(shape: type, prefix: str = "") -> tuple[Entry, ...]:
    """The declared keys of a shape, with `prefix` before each."""
    found: list[Entry] = []
    for one in fields(shape):
        entry: Entry | None = one.metadata.get("entry")
        if entry is not None:
            found.append(Entry(prefix + (entry.key or one.name), entry.kind, entry.help, one.name))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What a rule or a backend's table changes in a request, beyond where it goes.

    set_headers: name -> value. set_fields: dotted path of a body field -> its JSON value; remove_fields: such paths.
    effort: put where the protocol has it. max_tokens: the cap of the protocol's own output limit, lowered, never
    raised.
    """

    set_headers: Mapping[str, str] = _entry(HEADERS, Frozen[str](), "header names and the values they are sent with")
    remove_headers: tuple[str, ...] = _entry(HEADER_NAMES, (), "headers that are not sent on")
    set_fields: Mapping[str, Any] = _entry(
        FIELDS, Frozen[Any](), 'body fields by their dotted path in quotes, and the values they get: {"a.b" = 1}'
    )
    remove_fields: tuple[str, ...] = _entry(FIELD_PATHS, (), "body fields that are not sent on, by their dotted path")
    effort: Effort | None = _entry(
        choice("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        None,
        "reasoning effort, put where the protocol has it",
    )
    max_tokens: int | None = _entry(CAP, None, "cap of the output limit; lowers it, never raises it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a rule applies: all that is given must hold. None and '' ask nothing.

    model: a glob on the name as it stands after aliases, without regard to case. client: a name of the clients'
    table. tokens_over, tokens_under: estimated input tokens (bytes of the body / 3.6). tools, images, thinking:
    whether the request has any.
    """

    model: str = _entry(MODEL, "", "glob on the model's name after aliases, such as claude-*; case does not matter")
    protocol: str = _entry(choice(*PROTOCOLS), "", "protocol of the request")
    client: str = _entry(
        Kind("a client's name, such as claude-code", "text", lambda text: TEXT.text(text).lower()),
        "",
        "tool that sent it, such as claude-code",
    )
    tokens_over: int | None = _entry(TOKENS, None, "estimated input tokens are more than this")
    tokens_under: int | None = _entry(TOKENS, None, "estimated input tokens are fewer than this")
    tools: bool | None = _entry(SWITCH, None, "whether the request declares tools")
    images: bool | None = _entry(SWITCH, None, "whether it holds images")
    thinking: bool | None = _entry(SWITCH, None, "whether it asks for thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of `[[routes]]`. name: for explain, the log and errors; `route 2` when the user gave none.

    backend: where the request goes, '' to leave that to the later steps. model: the name to send, '' to keep it.
    fallback: BACKEND:MODEL each.
    """

    name: str = _entry(TEXT, "", "what explain and the log call it")
    when: Condition = Condition()
    backend: str = _entry(BACKEND, "", "backend the request goes to")
    model: str = _entry(MODEL, "", "model name to send instead")
    fallback: tuple[str, ...] = _entry(
        CHAIN, (), "BACKEND:MODEL to try in turn when its accounts cannot serve, in place of the table fallback"
    )
    edits: Edits = Edits()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """`[backends.NAME]`: what else is set for one backend. None: as for all. Times are seconds."""

    connect: float | None = _entry(TIME, None, "limit to reach it", key="timeouts.connect")
    first_byte: float | None = _entry(TIME, None, "limit for its response head on streams", key="timeouts.first_byte")
    idle: float | None = _entry(TIME, None, "limit between two reads of a stream", key="timeouts.idle")
    total: float | None = _entry(TIME, None, "limit for a whole request", key="timeouts.total")
    usage_probe: bool | None = _entry(SWITCH, None, "ask Chat streams for usage, as for all backends or not")
    ask_identity: bool | None = _entry(SWITCH, None, "ask for answers that are not compressed")
    strip_attribution: bool | None = _entry(SWITCH, None, "take Claude Code's billing line out of the system prompt")
    rpm: int | None = _entry(RATE, None, "requests a minute it is sent, all its accounts together; further ones wait")
    tpm: int | None = _entry(RATE, None, "tokens a minute, as rpm: estimated first, counted when an answer ends")
    min_interval: float | None = _entry(TIME, None, "least time between two requests")
    max_concurrent: int | None = _entry(PLACES, None, "requests that run at it, in place of queue.max_concurrent")
    auto_cache: bool | None = _entry(SWITCH, None, "have the prompts of translated requests cached")
    translate_as: str = _entry(
        choice(*sorted(entry.name for entry in PROVIDERS if entry.profile is not None)),
        "",
        "provider whose habits a translated request is written for",
    )
    profile: Mapping[str, Any] = _entry(
        PROFILE, Frozen[Any](), "single habits that differ from that provider's: { tool_images = true }"
    )
    budget_day_usd: float | None = _entry(BUDGET, None, "US dollars for a day", key="budget.day_usd")
    budget_month_usd: float | None = _entry(BUDGET, None, "US dollars for a month", key="budget.month_usd")
    budget_day_tokens: int | None = _entry(CAP, None, "tokens for a day", key="budget.day_tokens")
    budget_month_tokens: int | None = _entry(CAP, None, "tokens for a month", key="budget.month_tokens")
    edits: Edits = Edits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """`[prices."MODEL"]`: US dollars per million tokens. None: not known, and for the cache as other input."""

    input: float | None = _entry(MONEY, None, "US dollars per million input tokens")
    output: float | None = _entry(MONEY, None, "US dollars per million output tokens")
    cache_read: float | None = _entry(MONEY, None, "US dollars per million tokens read from the cache")
    cache_write: float | None = _entry(MONEY, None, "US dollars per million tokens written to the cache")


PRICE: tuple[Entry, ...] = entries(Price)
ROUTE: tuple[Entry, ...] = (*entries(Rule), *entries(Condition, "when."), *entries(Edits))
BACKENDS: tuple[Entry, ...] = (*entries(BackendOptions), *entries(Edits))
