"""What a translation is given from outside, and where it notes what it could not carry over."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from router.errors import BadRequest
from router.ir import Loss
from router.settings.profile import Profile
from router.wire.neutral.identifiers import ToolNames
from router.wire.neutral.replay_memory import ReplayMemory
from router.wire.neutral.sealed_state import StateSealer
from router.wire.raw.json_values import Json

LossPolicy = Literal["warn", "strict", "silent"]
HEADER_LIMIT = 1000
#: Bytes of losses in a note of the log.
NOTE_LIMIT = 300
_LOSSES_LIMIT = 200
_INDEX = re.compile(r"\[\d+\]")


class CallForm(NamedTuple):
    """How calls of a tool are written in a Responses answer. item: the type of the output item. name, namespace: as
    the caller declared the tool."""

    item: str
    name: str
    namespace: str = ""


@dataclass(slots=True)
class Context:
    """One translation. now: seconds since 1970. new_id: 24 hex digits, another each time. upstream: the backend's
    name. model: as the upstream gets it; shown: as the caller named it, which answers repeat, '' to name the one that
    answered. policies: those of single fields, by their path without indices. settled: the request is sent, so that
    losses are told and no longer refused. names: the tool names. memory: what earlier answers held that their callers
    may not send back. forgets: no reasoning goes back. auto_cache: caching is asked for where the caller says nothing
    of it. paths: where the caller wrote what the neutral request calls otherwise. stops: stop sequences that the
    upstream does not take, to be watched for here. single: one call at a time, to be seen to here. declared: the
    names of the tools. custom: tools that take free text and not arguments.

    For a Responses caller: asked, its request, of which answers repeat much; said, the items it holds; forms, its tools
    that are no plain functions, by their neutral names; kept, answers and items that its request names, by id; keep,
    what takes a whole answer: its id, the id of the answer it continues, the items of both directions, and the bytes
    of the answer; None where nothing is kept."""

    now: int
    new_id: Callable[[], str]
    profile: Profile
    upstream: str = ""
    model: str = ""
    shown_model: str = ""
    policy: LossPolicy = "warn"
    policies: Mapping[str, str] = field(default_factory=dict[str, str])
    request_sent: bool = False
    sealer: StateSealer = field(default_factory=StateSealer)
    names: ToolNames = field(default_factory=ToolNames)
    losses: list[Loss] = field(default_factory=list[Loss])
    memory: ReplayMemory | None = None
    drop_reasoning: bool = False
    auto_cache: bool = True
    stop_sequences: tuple[str, ...] = ()
    single_call: bool = False
    declared_tools: frozenset[str] = frozenset()
    custom_tools: set[str] = field(default_factory=set[str])
    paths: dict[str, str] = field(default_factory=dict[str, str])
    request_fields: Json = field(default_factory=dict[str, object])
    call_forms: dict[str, CallForm] = field(default_factory=dict[str, CallForm])
    stored: Mapping[str, Json] = field(default_factory=dict[str, Json])
    store: Callable[[str, str, list[Json], int], None] | None = None
    request_items: list[Json] = field(default_factory=list[Json])

    def note_dropped(self, path: str) -> None:
        """Note a hint that is left out. Raises BadRequest when losses are refused."""
        self._note(Loss(path, "dropped"))

    def note_weakened(self, path: str) -> None:
        """Note what survives in a weaker form. Raises BadRequest when losses are refused."""
        self._note(Loss(path, "weakened"))

    def caller_path(self, name: str) -> str:
        """The caller's path of a field of the neutral request."""
        return self.paths.get(name, name)

    def refuse(self, path: str, why: str) -> BadRequest:
        """The error for what cannot be carried over without changing its meaning."""
        return BadRequest(f"{path}: {why} (the backend {self.upstream} is reached by translation).")

    def name_model(self, model: str) -> str:
        """The model as an answer names it. model: as the upstream does."""
        return self.shown_model or model or self.model

    def select_losses(self, since: int = 0) -> list[Loss]:
        """The losses that the caller is to be told of, those before the `since`-th left out."""
        if self.policy == "silent" and not self.policies:
            return []
        return [loss for loss in self.losses[since:] if self._policy_of(loss.path) != "silent"]

    def _policy_of(self, path: str) -> str:
        """What holds for a field: its own policy, or that of the nearest field around it that has one."""
        if not self.policies:
            return self.policy
        name = _INDEX.sub("", path)
        while name not in self.policies:
            name = name.rpartition(".")[0]
            if not name:
                return self.policy
        return self.policies[name]

    def _note(self, loss: Loss) -> None:
        if not self.request_sent and self._policy_of(loss.path) == "strict":
            raise BadRequest(
                f"{loss.path}: it would be {loss.how} on the way to the backend {self.upstream}, and loss = strict "
                "refuses that. Leave the field out, or set loss = warn for it."
            )
        if len(self.losses) < _LOSSES_LIMIT and loss not in self.losses:
            self.losses.append(loss)


def format_losses(losses: list[Loss], limit: int = HEADER_LIMIT) -> str:
    """`top_k=dropped, tools[3].strict=weakened`, cut at whole entries: then `+N more`."""
    parts: list[str] = []
    size = 0
    for at, loss in enumerate(losses):
        part = f"{loss.path}={loss.how}"
        size += len(part) + 2
        if size > limit - 12:
            return ", ".join([*parts, f"+{len(losses) - at} more"])
        parts.append(part)
    return ", ".join(parts)
