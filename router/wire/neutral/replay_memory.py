"""What answers held and their callers may not send back: bounded, and nothing depends on it (translation.md 6).

A call's id is the one thing every caller returns. By it are kept: the id and the arguments as the upstream wrote them,
so that it reads its own words again and finds them in its cache; and the reasoning in front of the call, which Chat
clients drop and which some upstreams ask back.
"""

from collections import OrderedDict
from contextlib import suppress

import msgspec

from router.ir import (
    Block,
    BlockEnded,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Redacted,
    Request,
    Signed,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolResult,
    Turn,
)
from router.wire.neutral.identifiers import to_messages_id
from router.wire.neutral.sealed_state import StateSealer
from router.wire.raw import json_values

ENTRIES, BYTES = 4096, 16 << 20
#: What is larger is not kept: it would put all others out.
_ENTRY_BYTES = 256 << 10
_OVERHEAD = 400


class RecordedCall(msgspec.Struct, frozen=True):
    """One call as its upstream made it. thoughts: the reasoning in front of it, each with a carrier as its proof."""

    id: str
    arguments: str
    thoughts: tuple[Thinking, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        said = sum(len(one.text) + len(one.signature) + len(one.redacted) for one in self.thoughts)
        return _OVERHEAD + 2 * len(self.id) + len(self.arguments) + said


class ReplayMemory:
    """The calls that were made last, by the id that clients know. Bounded in number and in bytes."""

    def __init__(self, entries: int = ENTRIES, size: int = BYTES):
        self._calls: OrderedDict[str, RecordedCall] = OrderedDict()
        self._entries = entries
        self._room = size

    def __len__(self) -> int:
        return len(self._calls)

    def put(self, call: RecordedCall) -> None:
        """Keep a call; those that were used longest ago make room for it."""
        if call.size > _ENTRY_BYTES:
            return
        key = to_messages_id(call.id)
        self._drop(key)
        self._calls[key] = call
        self._room -= call.size
        while len(self._calls) > self._entries or self._room < 0:
            self._drop(next(iter(self._calls)))

    def get(self, call_id: str) -> RecordedCall | None:
        """The call with an id that a client sent."""
        key = to_messages_id(call_id)
        found = self._calls.get(key)
        if found is not None:
            # Large requests are read in a thread, and the call may be put out meanwhile.
            with suppress(KeyError):
                self._calls.move_to_end(key)
        return found

    def _drop(self, key: str) -> None:
        old = self._calls.pop(key, None)
        if old is not None:
            self._room += old.size


def recall_calls(request: Request, memory: ReplayMemory, sealer: StateSealer, *, replays: bool) -> Request:
    """The request with its calls as their upstream wrote them, and their reasoning in front where it is missing.

    seal: of the upstream that gets it; reasoning of another stays out. replays: it takes its reasoning back as text.
    """
    if not len(memory):
        return request
    ids: dict[str, str] = {}
    turns = [_recall_turn(turn, memory, sealer, ids, replays=replays) for turn in request.turns]
    return msgspec.structs.replace(request, turns=tuple(turns))


def _recall_turn(turn: Turn, memory: ReplayMemory, sealer: StateSealer, ids: dict[str, str], *, replays: bool) -> Turn:
    """ids: gets the id each call had; results follow their call in it."""
    blocks: list[Block] = []
    known = False
    thinks = any(isinstance(block, Thinking) for block in turn.blocks)
    for block in turn.blocks:
        found = memory.get(block.id) if isinstance(block, ToolCall) else None
        if found is not None and isinstance(block, ToolCall):
            # What stood in front of the first call stood in front of the text before it, too.
            at = len(blocks) if known else 0
            blocks[at:at] = () if thinks else _select_thoughts(found.thoughts, sealer, replays=replays)
            known = True
            ids[block.id] = found.id
            block = ToolCall(found.id, block.name, _restore_arguments(block.arguments, found.arguments))
        elif isinstance(block, ToolResult) and block.call_id in ids:
            known = True
            block = msgspec.structs.replace(block, call_id=ids[block.call_id])
        blocks.append(block)
    return Turn(turn.role, tuple(blocks), turn.path) if known else turn


def _select_thoughts(thoughts: tuple[Thinking, ...], sealer: StateSealer, *, replays: bool) -> list[Thinking]:
    """The reasoning that the upstream takes: what it does not is no loss, since its caller never sent it."""
    kept: list[Thinking] = []
    for one in thoughts:
        carried = sealer.unseal(one.signature or one.redacted, one.text)
        if carried is not None and (replays or carried.kind != "text"):
            kept.append(one)
    return kept


def _restore_arguments(arguments: str, kept: str) -> str:
    """The arguments as they were written, if they are the same to JSON."""
    if arguments == kept:
        return kept
    mine, theirs = json_values.decode_object(arguments or "{}"), json_values.decode_object(kept or "{}")
    return kept if mine is not None and mine == theirs else arguments


class CallRecorder:
    """Puts the calls of one answer into a memory, as its events pass."""

    #: The events it needs to see; to leave the others away costs a stream less than to hand them over.
    EVENTS = frozenset((ThinkingDelta, Signed, Redacted, BlockEnded, CallBegan, CallDelta, Ended))

    def __init__(self, memory: ReplayMemory, sealer: StateSealer):
        self._memory = memory
        self._sealer = sealer
        self._text: list[str] = []
        self._proof = ""
        self._thoughts: list[Thinking] = []
        self._calls: dict[int, tuple[str, list[str], tuple[Thinking, ...]]] = {}

    def record(self, event: Event) -> None:
        """Take note of one event."""
        if isinstance(event, CallDelta):
            self._calls[event.index][1].append(event.fragment)
        elif isinstance(event, ThinkingDelta):
            self._text.append(event.text)
        elif isinstance(event, Signed):
            self._proof = event.signature
        elif isinstance(event, BlockEnded):
            self._close()
        elif isinstance(event, Redacted):
            self._close()
            self._thoughts.append(Thinking(redacted=self._sealer.seal("redacted", event.data, "")))
        elif isinstance(event, CallBegan):
            self._close()
            self._calls[event.index] = (event.id, [], tuple(self._thoughts))
            self._thoughts.clear()
        elif isinstance(event, Ended):
            for call_id, fragments, thoughts in self._calls.values():
                self._memory.put(RecordedCall(call_id, "".join(fragments), thoughts))

    def _close(self) -> None:
        """The reasoning that was under way is a block."""
        if self._text or self._proof:
            text = "".join(self._text)
            carrier = self._sealer.seal("signature" if self._proof else "text", self._proof, text)
            self._thoughts.append(Thinking(text, carrier))
            self._text.clear()
            self._proof = ""
