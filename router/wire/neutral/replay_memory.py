"""Remembers parts of answers that callers may not send back. It is bounded, and a translation works without it.

The id of a call is the only part that every caller returns unchanged. It is the key to: the id and the arguments as the
upstream wrote them, so that the replayed history is byte-identical for the upstream and matches its prompt cache; and
the reasoning in front of the call, which Chat clients drop and some upstreams require.
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
#: A larger call is not stored: it would evict all others.
_ENTRY_BYTES = 256 << 10
_OVERHEAD = 400


class RecordedCall(msgspec.Struct, frozen=True):
    """One call as its upstream wrote it."""

    id: str
    arguments: str
    #: The reasoning in front of it, each with sealed state as its signature.
    thoughts: tuple[Thinking, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        said = sum(len(one.text) + len(one.signature) + len(one.redacted) for one in self.thoughts)
        return _OVERHEAD + 2 * len(self.id) + len(self.arguments) + said


class ReplayMemory:
    """The most recently used calls by the id that clients know; bounded in number and in bytes."""

    def __init__(self, entries: int = ENTRIES, size: int = BYTES):
        self._calls: OrderedDict[str, RecordedCall] = OrderedDict()
        self._entries = entries
        self._room = size

    def __len__(self) -> int:
        return len(self._calls)

    def put(self, call: RecordedCall) -> None:
        """Store a call, and evict the least recently used ones over the bounds."""
        if call.size > _ENTRY_BYTES:
            return
        key = to_messages_id(call.id)
        self._drop(key)
        self._calls[key] = call
        self._room -= call.size
        while self._calls and (len(self._calls) > self._entries or self._room < 0):
            # In one step: large answers are translated in a thread.
            self._room += self._calls.popitem(last=False)[1].size

    def get(self, call_id: str) -> RecordedCall | None:
        """The call with an id that a client sent."""
        key = to_messages_id(call_id)
        found = self._calls.get(key)
        if found is not None:
            # Large requests are translated in a thread, and the call may be evicted meanwhile.
            with suppress(KeyError):
                self._calls.move_to_end(key)
        return found

    def _drop(self, key: str) -> None:
        old = self._calls.pop(key, None)
        if old is not None:
            self._room += old.size


def recall_calls(request: Request, memory: ReplayMemory, sealer: StateSealer, *, replays: bool) -> Request:
    """The request with its calls as their upstream wrote them, and their reasoning in front of them.

    Reasoning that the caller sent as text only, or in part, gives way to the original: "some" is not "the right one".

    sealer: of the upstream that gets the request; reasoning of another one is left out. replays: the upstream accepts
    its reasoning as text; then it gets the text that the caller sent, where no original is remembered.
    """
    turns = list(request.turns)
    if len(memory):
        ids: dict[str, str] = {}
        turns = [_recall_turn(turn, memory, sealer, ids, replays=replays) for turn in turns]
    elif not replays:
        return request
    if replays:
        turns = [_adopt_text(turn, sealer) for turn in turns]
    return msgspec.structs.replace(request, turns=tuple(turns))


def _recall_turn(turn: Turn, memory: ReplayMemory, sealer: StateSealer, ids: dict[str, str], *, replays: bool) -> Turn:
    """ids: filled with the upstream's id of each call, for the results that follow in later turns."""
    found = [memory.get(block.id) if isinstance(block, ToolCall) else None for block in turn.blocks]
    thoughts = [_select_thoughts(one.thoughts, sealer, replays=replays) if one is not None else [] for one in found]
    restored = _may_restore(turn.blocks, [one for some in thoughts for one in some], sealer, replays=replays)
    blocks: list[Block] = []
    known = False
    for at, block in enumerate(turn.blocks):
        call = found[at]
        if call is not None and isinstance(block, ToolCall):
            if restored:
                # The reasoning of the first call also came before any text in front of that call.
                place = len(blocks) if known else 0
                blocks[place:place] = thoughts[at]
            known = True
            ids[block.id] = call.id
            block = ToolCall(call.id, block.name, _restore_arguments(block.arguments, call.arguments))
        elif isinstance(block, ToolResult) and block.call_id in ids:
            known = True
            block = msgspec.structs.replace(block, call_id=ids[block.call_id])
        elif restored and isinstance(block, Thinking):
            continue
        blocks.append(block)
    return Turn(turn.role, tuple(blocks), turn.path) if known else turn


def _may_restore(blocks: tuple[Block, ...], thoughts: list[Thinking], sealer: StateSealer, *, replays: bool) -> bool:
    """True where the remembered reasoning takes the place of what the caller sent.

    The remembered one is whole, and stands where the upstream wrote it. The caller's may be text without its proof, or
    a part of the original. It stays where it holds anything genuine that is not remembered, and where genuine parts
    stand between other blocks, since such a caller returns everything at its place.
    """
    if not thoughts:
        return False
    replaceable: set[str] = {one.signature or one.redacted for one in thoughts}
    for block in blocks:
        if not isinstance(block, Thinking):
            # Only reasoning in front of all other blocks has lost its place.
            replaceable.clear()
        elif _is_accepted(block, sealer, replays=replays) and (block.signature or block.redacted) not in replaceable:
            return False
    return True


def _adopt_text(turn: Turn, sealer: StateSealer) -> Turn:
    """The turn with reasoning that the caller sent as mere text taken for the upstream's own."""
    if not any(isinstance(block, Thinking) for block in turn.blocks):
        return turn
    blocks = (
        Thinking(block.text, sealer.seal("text", "", block.text))
        if isinstance(block, Thinking) and block.text and not block.signature
        else block
        for block in turn.blocks
    )
    return Turn(turn.role, tuple(blocks), turn.path)


def _select_thoughts(thoughts: tuple[Thinking, ...], sealer: StateSealer, *, replays: bool) -> list[Thinking]:
    """The reasoning that the upstream accepts; leaving out the rest is no loss, since the caller did not send it."""
    return [one for one in thoughts if _is_accepted(one, sealer, replays=replays)]


def _is_accepted(thought: Thinking, sealer: StateSealer, *, replays: bool) -> bool:
    """True for reasoning of this upstream and model, in a form in which the upstream takes it back."""
    carried = sealer.unseal(thought.signature or thought.redacted, thought.text)
    return carried is not None and (replays or carried.kind != "text")


def _restore_arguments(arguments: str, kept: str) -> str:
    """The arguments as the upstream wrote them, if both are equal as JSON."""
    if arguments == kept:
        return kept
    mine, theirs = json_values.decode_object(arguments or "{}"), json_values.decode_object(kept or "{}")
    return kept if mine is not None and mine == theirs else arguments


class CallRecorder:
    """Stores the calls of one answer in a memory while its events pass."""

    #: The event types to record; skipping others at the caller is cheaper than a call for each.
    EVENTS = frozenset((ThinkingDelta, Signed, Redacted, BlockEnded, CallBegan, CallDelta, Ended))

    def __init__(self, memory: ReplayMemory, sealer: StateSealer):
        self._memory = memory
        self._sealer = sealer
        self._text: list[str] = []
        self._proof = ""
        self._thoughts: list[Thinking] = []
        self._calls: dict[int, tuple[str, list[str], tuple[Thinking, ...]]] = {}

    def record(self, event: Event) -> None:
        """Record one event."""
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
            self._close()
            self._add_late_thoughts()
            for call_id, fragments, thoughts in self._calls.values():
                self._memory.put(RecordedCall(call_id, "".join(fragments), thoughts))

    def _add_late_thoughts(self) -> None:
        """Keep proofs that came behind the last call with that call."""
        if self._thoughts and self._calls:
            last = next(reversed(self._calls))
            call_id, fragments, thoughts = self._calls[last]
            self._calls[last] = (call_id, fragments, (*thoughts, *self._thoughts))

    def _close(self) -> None:
        """End the current block of reasoning."""
        if self._text or self._proof:
            text = "".join(self._text)
            sealed = self._sealer.seal("signature" if self._proof else "text", self._proof, text)
            self._thoughts.append(Thinking(text, sealed))
            self._text.clear()
            self._proof = ""
