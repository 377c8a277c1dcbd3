"""Remembers parts of answers that callers may not send back. It is bounded, and a translation works without it.

The id of a call is the only part that every caller returns unchanged. It is the key to: the id and the arguments as the
upstream wrote them, so that the replayed history is byte-identical for the upstream and matches its prompt cache; and
the reasoning in front of the call, which Chat clients drop and some upstreams require.

An id alone does not always name a call: some upstreams count from 0 in each conversation or answer. So calls of one id
are told apart by what was said before them, by name, and by arguments. Nothing is recalled that may be another's.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
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
from router.wire.conversation.identifiers import to_messages_id
from router.wire.conversation.sealed_state import StateSealer
from router.wire.raw.json import json_values

ENTRIES, BYTES = 4096, 16 << 20
#: A larger call is not stored: it would evict all others.
_ENTRY_BYTES = 256 << 10
_OVERHEAD = 400
#: The most calls that are stored under one id.
_NAMESAKES = 8
# Ids that were drawn at random have such an end. Others (call_0, functions.look:0, call_same) may be those of another
# conversation too.
_END = 64
_DRAWN = re.compile(r"(?=[A-Za-z]*[0-9])[0-9A-Za-z]{8,}$")


_RECALLED = frozenset((ToolCall, ToolResult))


class RecordedCall(msgspec.Struct, frozen=True):
    """One call as its upstream wrote it."""

    id: str
    arguments: str
    #: The reasoning in front of it, each with sealed state as its signature.
    thoughts: tuple[Thinking, ...] = ()
    #: The tool, as the caller knows it; '' when not known.
    name: str = ""
    #: The hash of what was said before (conversation_prefix.py); 0 when not known.
    prefix: int = 0

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        said = sum(len(one.text) + len(one.signature) + len(one.redacted) for one in self.thoughts)
        return _OVERHEAD + 2 * len(self.id) + len(self.arguments) + said

    def equals(self, call: ToolCall) -> bool:
        """True for a call of the same tool with equal arguments."""
        return self.name in ("", call.name) and _are_equal(call.arguments, self.arguments)


class ReplayMemory:
    """The most recently used calls by the id that clients know; bounded in number and in bytes."""

    def __init__(self, entries: int = ENTRIES, size: int = BYTES):
        self._calls: OrderedDict[str, tuple[RecordedCall, ...]] = OrderedDict()
        self._entries = entries
        self._count = 0
        self._room = size

    def __len__(self) -> int:
        return self._count

    def put(self, call: RecordedCall) -> None:
        """Store a call, and evict the least recently used ones over the bounds."""
        if call.size > _ENTRY_BYTES:
            return
        key = to_messages_id(call.id)
        kept = [one for one in self._drop(key) if one != call][1 - _NAMESAKES :]
        self._store(key, (*kept, call))
        while self._calls and (self._count > self._entries or self._room < 0):
            # In one step: large answers are translated in a thread.
            oldest, calls = self._calls.popitem(last=False)
            self._count -= len(calls)
            self._room += sum(one.size for one in calls)
            # Of those under the newest id the last one is the one that was put.
            self._store(oldest, calls[1:], first=True)

    def get(self, call: ToolCall, prefix: int = 0, *, repeated: bool = False) -> RecordedCall | None:
        """The call that a client sent. prefix: the hash of what was said before it. repeated: the client's
        conversation has other calls of the same id."""
        key = to_messages_id(call.id)
        found = self._calls.get(key)
        if found is None:
            return None
        # Large requests are translated in a thread, and the call may be evicted meanwhile.
        with suppress(KeyError):
            self._calls.move_to_end(key)
        drawn = _DRAWN.search(call.id[-_END:]) is not None
        here = [one for one in found if one.prefix in (0, prefix)]
        if len(here) == 1 and not repeated and drawn:
            # Its arguments may have been edited by the client.
            return here[0] if here[0].name in ("", call.name) else None
        if here:
            # An answer may have been made again: the last one counts.
            return next((one for one in reversed(here) if one.equals(call)), None)
        equal = [one for one in found if one.equals(call)] if drawn else []
        return equal[0] if len(equal) == 1 else None

    def _store(self, key: str, calls: tuple[RecordedCall, ...], *, first: bool = False) -> None:
        if calls:
            self._calls[key] = calls
            with suppress(KeyError):
                self._calls.move_to_end(key, last=not first)
            self._count += len(calls)
            self._room -= sum(one.size for one in calls)

    def _drop(self, key: str) -> tuple[RecordedCall, ...]:
        calls = self._calls.pop(key, ())
        self._count -= len(calls)
        self._room += sum(one.size for one in calls)
        return calls


def recall_calls(
    request: Request, prefixes: Sequence[int], memory: ReplayMemory, sealer: StateSealer, *, replays: bool
) -> Request:
    """The request with its calls as their upstream wrote them, and their reasoning in front of them.

    Reasoning that the caller sent as text only, or in part, gives way to the original: "some" is not "the right one".

    prefixes: the hash of what was said before each turn (conversation_prefix.py).
    sealer: of the upstream that gets the request; reasoning of another one is left out. replays: the upstream accepts
    its reasoning as text; then it gets the text that the caller sent, where no original is remembered.
    """
    turns = list(request.turns)
    if len(memory):
        turns = _Recall(memory, sealer, replays=replays).recall_turns(turns, prefixes)
    elif not replays:
        return request
    if replays:
        turns = [_adopt_text(turn, sealer) for turn in turns]
    return msgspec.structs.replace(request, turns=tuple(turns))


def drop_thinking(asked: Request, note_dropped: Callable[[str], None]) -> Request:
    """The request without any reasoning in its history. note_dropped: told the path of each."""
    turns: list[Turn] = []
    for turn in asked.turns:
        kept = tuple(block for block in turn.blocks if type(block) is not Thinking)
        if len(kept) < len(turn.blocks):
            note_dropped(f"{turn.path}.reasoning")
        turns.append(Turn(turn.role, kept, turn.path))
    return msgspec.structs.replace(asked, turns=tuple(turns))


class _Recall:
    """The recall for one request."""

    def __init__(self, memory: ReplayMemory, sealer: StateSealer, *, replays: bool):
        self._memory = memory
        self._sealer = sealer
        self._replays = replays
        # The upstream's id of each call, for the results that follow in later turns.
        self._ids: dict[str, str] = {}
        self._uses: Counter[str] = Counter()

    def recall_turns(self, turns: list[Turn], prefixes: Sequence[int]) -> list[Turn]:
        """The turns with what is remembered of them."""
        self._uses.update(block.id for turn in turns for block in turn.blocks if type(block) is ToolCall)
        if not self._uses:
            return turns
        return [
            # Most turns hold neither calls nor results.
            turn if _RECALLED.isdisjoint(map(type, turn.blocks)) else self._recall_turn(turn, prefix)
            for turn, prefix in zip(turns, prefixes, strict=True)
        ]

    def _recall_turn(self, turn: Turn, prefix: int) -> Turn:
        sealer, replays = self._sealer, self._replays
        found = [self._find(block, prefix) if type(block) is ToolCall else None for block in turn.blocks]
        if not self._ids and found.count(None) == len(found):
            return turn  # nothing is remembered of it, nor of what its results are for
        thoughts = [_select_thoughts(one.thoughts, sealer, replays=replays) if one is not None else [] for one in found]
        restored = _may_restore(turn.blocks, [one for some in thoughts for one in some], sealer, replays=replays)
        whole = all(one is None or len(one.thoughts) == len(some) for one, some in zip(found, thoughts, strict=True))
        blocks: list[Block] = []
        known = False
        for at, block in enumerate(turn.blocks):
            call = found[at]
            if type(block) is ToolCall:
                if call is not None:
                    if restored:
                        # The reasoning of the first call also came before any text in front of that call.
                        place = len(blocks) if known else 0
                        blocks[place:place] = thoughts[at]
                    known = True
                    block = ToolCall(call.id, block.name, _restore_arguments(block.arguments, call.arguments))
            elif type(block) is ToolResult and block.call_id in self._ids:
                known = True
                block = msgspec.structs.replace(block, call_id=self._ids[block.call_id])
            elif (
                restored
                and type(block) is Thinking
                # Where some reasoning had no proof, what the caller has of it stays, and becomes a loss.
                and (whole or _is_accepted(block, sealer, replays=replays))
            ):
                continue
            blocks.append(block)
        return Turn(turn.role, tuple(blocks), turn.path) if known else turn

    def _find(self, call: ToolCall, prefix: int) -> RecordedCall | None:
        found = self._memory.get(call, prefix, repeated=self._uses[call.id] > 1)
        if found is None:
            self._ids.pop(call.id, None)
        else:
            self._ids[call.id] = found.id
        return found


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
        if type(block) is not Thinking:
            # Only reasoning in front of all other blocks has lost its place.
            replaceable.clear()
        elif _is_accepted(block, sealer, replays=replays) and (block.signature or block.redacted) not in replaceable:
            return False
    return True


def _adopt_text(turn: Turn, sealer: StateSealer) -> Turn:
    """The turn with reasoning that the caller sent as mere text taken for the upstream's own."""
    if not any(type(block) is Thinking for block in turn.blocks):
        return turn
    blocks = (
        Thinking(block.text, sealer.seal("text", "", block.text))
        if type(block) is Thinking and block.text and not block.signature
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
    return kept if _are_equal(arguments, kept) else arguments


def _are_equal(arguments: str, kept: str) -> bool:
    """True for two JSON texts of equal objects."""
    if arguments == kept:
        return True
    mine, theirs = json_values.decode_object(arguments or "{}"), json_values.decode_object(kept or "{}")
    return mine is not None and mine == theirs


class CallRecorder:
    """Stores the calls of one answer in a memory while its events pass."""

    #: The event types to record; skipping others at the caller is cheaper than a call for each.
    EVENTS = frozenset((ThinkingDelta, Signed, Redacted, BlockEnded, CallBegan, CallDelta, Ended))

    def __init__(self, memory: ReplayMemory, sealer: StateSealer, prefix: int = 0):
        """prefix: the hash of the conversation that is answered (conversation_prefix.py)."""
        self._memory = memory
        self._sealer = sealer
        self._prefix = prefix
        self._text: list[str] = []
        self._proof = ""
        self._thoughts: list[Thinking] = []
        self._calls: dict[int, tuple[CallBegan, list[str], tuple[Thinking, ...]]] = {}

    def record(self, event: Event) -> None:
        """Record one event."""
        if type(event) is CallDelta:
            self._calls[event.index][1].append(event.fragment)
        elif type(event) is ThinkingDelta:
            self._text.append(event.text)
        elif type(event) is Signed:
            self._proof = event.signature
        elif type(event) is BlockEnded:
            self._close()
        elif type(event) is Redacted:
            self._close()
            self._thoughts.append(Thinking(redacted=self._sealer.seal("redacted", event.data, "")))
        elif type(event) is CallBegan:
            self._close()
            self._calls[event.index] = (event, [], tuple(self._thoughts))
            self._thoughts.clear()
        elif type(event) is Ended:
            self._close()
            self._add_late_thoughts()
            for call, fragments, thoughts in self._calls.values():
                self._memory.put(RecordedCall(call.id, "".join(fragments), thoughts, call.name, self._prefix))

    def _add_late_thoughts(self) -> None:
        """Keep proofs that came behind the last call with that call."""
        if self._thoughts and self._calls:
            last = next(reversed(self._calls))
            call, fragments, thoughts = self._calls[last]
            self._calls[last] = (call, fragments, (*thoughts, *self._thoughts))

    def _close(self) -> None:
        """End the current block of reasoning."""
        if self._text or self._proof:
            text = "".join(self._text)
            sealed = self._sealer.seal("signature" if self._proof else "text", self._proof, text)
            self._thoughts.append(Thinking(text, sealed))
            self._text.clear()
            self._proof = ""
