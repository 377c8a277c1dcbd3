"""The context of one translation: its inputs, and the losses it notes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

from router.backends.profile import Profile
from router.errors import BadRequest
from router.ir import Fault, Request, WebSearch
from router.wire.conversation.identifiers import ToolNames
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.conversation.sealed_state import StateSealer
from router.wire.conversation.search_memory import SearchMemory
from router.wire.neutral.losses import Loss
from router.wire.raw.json.json_values import Json

#: Of the stop sequences that fairlead searches an answer for: how many, and their characters together. Each letter of a
#: stream is compared with all of them.
STOPS_LIMIT, STOPS_LENGTH_LIMIT = 64, 4096

LossPolicy = Literal["warn", "strict", "silent"]
HEADER_LIMIT = 1000
#: The most bytes of losses in a note of the log.
NOTE_LIMIT = 300
_LOSSES_LIMIT = 200
_INDEX = re.compile(r"\[\d+\]")


class CallForm(NamedTuple):
    """How a Responses answer writes the calls of a tool."""

    #: The type of the output item.
    item: str
    #: The name and namespace under which the caller declared the tool.
    name: str
    namespace: str = ""


class FinishedAnswer(NamedTuple):
    """A whole Responses answer that is to be stored."""

    #: Its id.
    name: str
    #: The id of the answer that it continues, '' for none.
    previous: str
    #: The new items of the request.
    inputs: list[Json]
    #: The items of the answer.
    outputs: list[Json]
    #: The response object without its output.
    response: Json
    #: The size of the answer, in bytes.
    size: int

    @property
    def items(self) -> list[Json]:
        """The new items of the conversation."""
        return [*self.inputs, *self.outputs]

    @property
    def about(self) -> Json:
        """What is stored beside the items: how many of them are the request's, and the response object."""
        return {"inputs": len(self.inputs), "response": self.response}


@dataclass(slots=True)
class OwnSearch:
    """A web search that fairlead makes for the model, from the request to the end of the answer."""

    #: What the caller set of domains and place.
    limits: WebSearch
    #: The searches that may still be made.
    left: int
    #: The request as it was sent last.
    request: Request
    #: Requests that were sent.
    rounds: int = 1


@dataclass(slots=True)
class Context:
    """The inputs of one translation, its state between request and answer, and its losses."""

    #: Seconds since 1970.
    now: int
    #: Gives 24 hex digits, different ones at each call.
    new_id: Callable[[], str]
    profile: Profile
    #: The reasoning efforts that the model takes, the weakest first; None where they are not known.
    efforts: tuple[str, ...] | None = None
    #: The most tokens that the model writes, as its backend's own list of models says; None where it does not.
    max_output: int | None = None
    #: The backend's name.
    upstream: str = ""
    #: The model's name at the upstream.
    model: str = ""
    #: The caller's name of the model, which answers repeat; '' to show the name in the upstream's answer.
    shown_model: str = ""
    policy: LossPolicy = "warn"
    #: The policies of single fields, by their path without indices.
    policies: Mapping[str, str] = field(default_factory=dict[str, str])
    #: True once the request is sent: later losses are noted and no longer refused.
    request_sent: bool = False
    sealer: StateSealer = field(default_factory=StateSealer)
    names: ToolNames = field(default_factory=ToolNames)
    losses: list[Loss] = field(default_factory=list[Loss])
    #: The losses that were noted, to note each once.
    _noted: set[Loss] = field(init=False, repr=False, default_factory=set[Loss])
    #: Parts of earlier answers that their callers may not send back.
    memory: ReplayMemory | None = None
    #: The hash of the conversation of the request, to tell it from others in the memory.
    prefix: int = 0
    #: No reasoning of the history is sent.
    drop_reasoning: bool = False
    #: Caching is asked for where the caller does not mention it.
    auto_cache: bool = True
    #: The caller set no output limit, and the upstream requires one.
    assumed_limit: bool = False
    #: Stop sequences that the upstream does not support; the answer's stream is searched for them.
    stop_sequences: tuple[str, ...] = ()
    #: Only one call at a time may pass, and the upstream cannot be told.
    single_call: bool = False
    #: The caller asked for the log probabilities of the answer's tokens.
    logprobs: bool = False
    #: The caller asked to read the model's reasoning; only in protocols that leave it out otherwise.
    shows_reasoning: bool = False
    #: The ids of the calls in the request's history; those of the answer must differ, since callers pair calls and
    #: results by id over a whole conversation.
    call_ids: frozenset[str] = frozenset()
    #: The names of the request's tools.
    declared_tools: frozenset[str] = frozenset()
    #: The upstream was asked to search the web.
    searching: bool = False
    #: A search that the request offers is one that fairlead makes itself; and that search, once there is one.
    searches_itself: bool = False
    own_search: OwnSearch | None = None
    #: The searches of earlier answers that wait for their conversation.
    search_memory: SearchMemory | None = None
    #: The names of a Chat caller's tools that take free text in place of arguments.
    custom_tools: set[str] = field(default_factory=set[str])
    #: The names of tools whose schema is a union at its root, which the upstream got wrapped.
    union_tools: frozenset[str] = frozenset()
    #: The caller's paths of fields that the neutral request names differently.
    paths: dict[str, str] = field(default_factory=dict[str, str])
    #: The caller's paths of the tools, where they are not those of a list `tools`.
    tool_paths: tuple[str, ...] = ()
    #: Fields of a Responses request that its answers repeat.
    request_fields: Json = field(default_factory=dict[str, object])
    #: The forms of a Responses caller's tools that are not plain functions, by their neutral names.
    call_forms: dict[str, CallForm] = field(default_factory=dict[str, CallForm])
    #: Stored answers and items that a Responses request refers to, by id.
    stored: Mapping[str, Json] = field(default_factory=dict[str, Json])
    #: Stores a whole Responses answer. None where nothing is to be stored.
    store: Callable[[FinishedAnswer], None] | None = None
    #: Completes an error of the upstream by what is known of its model; None where nothing is.
    complete_fault: Callable[[Fault], Fault] | None = None
    #: The limit of the model's context that is known, in tokens; None where none is.
    find_limit: Callable[[], int | None] | None = None
    #: The error for a request that was refused without a word, where by its size it is too long for its model; None
    #: where that is not so.
    find_unsaid_overflow: Callable[[], Fault | None] | None = None
    #: The items of a Responses request, to be stored with the answer.
    request_items: list[Json] = field(default_factory=list[Json])
    #: How the answer, the summary of a conversation, is written: as the one output item of a response, or as the object
    #: of the endpoint for compactions; '' for other answers.
    compaction: Literal["", "item", "object"] = ""
    #: The user's messages, which that object repeats.
    user_messages: list[Json] = field(default_factory=list[Json])

    def note_dropped(self, path: str) -> None:
        """Note that a hint is left out. Raises BadRequest where the policy is strict."""
        self._note(Loss(path, "dropped"))

    def note_weakened(self, path: str) -> None:
        """Note that a field keeps only part of its meaning. Raises BadRequest where the policy is strict."""
        self._note(Loss(path, "weakened"))

    def note_unread(self, entry: Json, read: frozenset[str], where: str = "") -> None:
        """Note the fields of an object that a codec does not read. Fields that say nothing (null, false, empty) are
        no loss.

        read: the names that are read, or whose loss means nothing. where: the path of the object with a point behind
        it, '' for the top level of an answer.
        """
        if entry.keys() <= read:
            return
        for name in [name for name in entry if name not in read]:
            if _says_something(entry[name]):
                self.note_dropped(f"{where}{name[:40]}")

    def caller_path(self, name: str) -> str:
        """The caller's path of a field of the neutral request."""
        return self.paths.get(name, name)

    def tool_path(self, at: int) -> str:
        """The caller's path of a tool of the neutral request."""
        return self.tool_paths[at] if at < len(self.tool_paths) else f"tools[{at}]"

    def refuse(self, path: str, why: str) -> BadRequest:
        """Build the error for a field that cannot be translated without changing the meaning of the request."""
        return BadRequest(f"{path}: {why} (the backend {self.upstream} is reached by translation).")

    def stop_at(self, sequences: tuple[str, ...]) -> None:
        """Have the answer searched for stop sequences, which the upstream does not support. Raises BadRequest for more
        than each piece of an answer can be searched for in a moment."""
        if len(sequences) > STOPS_LIMIT or sum(map(len, sequences)) > STOPS_LENGTH_LIMIT:
            bounds = f"{STOPS_LIMIT} sequences of {STOPS_LENGTH_LIMIT:,} characters together"
            raise self.refuse(self.caller_path("stop"), f"fairlead searches the answer for them, for at most {bounds}")
        self.stop_sequences = sequences

    def settle(self, fault: Fault) -> Fault:
        """The error of the upstream as the caller is told it."""
        return fault if self.complete_fault is None else self.complete_fault(fault)

    def name_model(self, model: str) -> str:
        """The name of the model for the answer. model: the name in the upstream's answer."""
        return self.shown_model or model or self.model

    def select_losses(self, since: int = 0) -> list[Loss]:
        """The losses to report to the caller, from the `since`-th on."""
        if self.policy == "silent" and not self.policies:
            return []
        return [loss for loss in self.losses[since:] if self._policy_of(loss.path) != "silent"]

    def _policy_of(self, path: str) -> str:
        """The policy of a field: its own, or that of the nearest field around it that has one."""
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
        if len(self.losses) < _LOSSES_LIMIT and loss not in self._noted:
            self._noted.add(loss)
            self.losses.append(loss)


def _says_something(value: object) -> bool:
    """False for null, false, zero, what is empty, and what holds nothing else."""
    if isinstance(value, dict):
        return any(map(_says_something, cast("Json", value).values()))
    if isinstance(value, list):
        return any(map(_says_something, cast("list[object]", value)))
    return bool(value)


def format_losses(losses: Sequence[Loss], limit: int = HEADER_LIMIT) -> str:
    """`top_k=dropped, tools[3].strict=weakened`, at most `limit` long; entries over that are counted: `+N more`."""
    parts: list[str] = []
    size = 0
    for at, loss in enumerate(losses):
        part = f"{loss.path}={loss.how}"
        size += len(part) + 2
        if size > limit - 12:
            return ", ".join([*parts, f"+{len(losses) - at} more"])
        parts.append(part)
    return ", ".join(parts)
