"""The shapes of config.toml's tables: what a rule asks and does, and what is set for one backend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What a rule or a backend's table changes in a request, beyond where it goes.

    set_headers: name -> value. set_fields: dotted path of a body field -> its JSON value; remove_fields: such paths.
    effort: put where the protocol has it. max_tokens: the cap of the protocol's own output limit, lowered, never
    raised.
    """

    set_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    remove_headers: tuple[str, ...] = ()
    set_fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    remove_fields: tuple[str, ...] = ()
    effort: Effort | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a rule applies: all that is given must hold. None and '' ask nothing.

    model: a glob on the name as it stands after aliases, without regard to case. client: a name of the clients'
    table. tokens_over, tokens_under: estimated input tokens (bytes of the body / 3.6). tools, images, thinking:
    whether the request has any.
    """

    model: str = ""
    protocol: Literal["", "messages", "chat", "responses"] = ""
    client: str = ""
    tokens_over: int | None = None
    tokens_under: int | None = None
    tools: bool | None = None
    images: bool | None = None
    thinking: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of `[[routes]]`. name: for explain, the log and errors; `route 2` when the user gave none.

    backend: where the request goes, '' to leave that to the later steps. model: the name to send, '' to keep it.
    """

    name: str
    when: Condition = Condition()
    backend: str = ""
    model: str = ""
    edits: Edits = Edits()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """`[backends.NAME]`: what else is set for one backend. None: as for all. Times are seconds."""

    connect: float | None = None
    first_byte: float | None = None
    idle: float | None = None
    total: float | None = None
    usage_probe: bool | None = None
    ask_identity: bool | None = None
    strip_attribution: bool | None = None
    edits: Edits = Edits()
