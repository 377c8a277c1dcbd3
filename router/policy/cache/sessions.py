"""The last prompt of each session, to which the next one is compared.

Bounded: of more than SESSIONS sessions, or prompts of more than BYTES bytes, those not used for longest are forgotten.
A session has a few lines, as agents send other requests (titles, summaries) between the turns of a conversation.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from router.policy.cache.canonical import Extent, sign_part
from router.policy.cache.conversation import (
    Beginnings,
    Known,
    Reading,
    read_conversation,
    recognize,
)
from router.policy.cache.prompt import (
    NO_PARTS,
    SYSTEM,
    TOOLS,
    WHOLE_SYSTEM,
    WHOLE_TOOLS,
    Change,
    Parts,
    Prompt,
    find_block,
    find_extent,
    find_setting,
    find_tool,
    read_settings,
    read_system,
    read_tools,
)
from router.wire.raw.json.top_level import Top

SESSIONS, BYTES = 2000, 8 << 20
#: Lines of one session.
LINES = 4
#: Lists of tools, and system prompts, that sessions share.
SHARED = 64


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One request that was answered."""

    prompt: Prompt
    backend: str
    account: str
    #: The model that was asked for upstream.
    model: str
    #: A hash of how fairlead changed it.
    edits: int
    #: When it was sent, in seconds since 1970.
    started: float
    #: Input tokens, those from the cache and those written to it included.
    total: int
    #: Of these, the tokens that were read from the cache or written to it.
    cached: int
    #: True once the session asked the cache to keep it for the longer time that the provider offers.
    longer: bool
    #: Tokens that the session has written to the cache for the usual time.
    written: int
    #: A hash of the client's own name of the conversation since it was shortened last; 0 where it has none.
    window: int
    #: True when the prompt was marked, by the caller or by fairlead.
    marked: bool
    #: True when nothing explains what was lost: the next prompt is then read whole, as signatures do not cover all.
    unexplained: bool = False
    #: True when a summary of the conversation was asked for since.
    compacted: bool = False


class Comparison(msgspec.Struct, frozen=True, gc=False):
    """A prompt, and what changed since the one before it."""

    key: str
    prompt: Prompt
    #: The request before it in its line; None for the first.
    previous: Turn | None
    #: None when that prompt is a beginning of this one.
    change: Change | None


class _Shared:
    """Parts that were read, by their signatures. names: of their members. whole: bytes that signatures cover whole."""

    __slots__ = ("_found", "_names", "_read", "_whole")

    def __init__(self, names: Sequence[str], read: Callable[[bytes, int], Parts], whole: int):
        self._names = names
        self._read = read
        self._whole = whole
        self._found: dict[int, Parts] = {}

    def get(self, body: bytes, top: Top, *, anew: bool) -> Parts:
        """The part of a body."""
        span = find_extent(top, self._names)
        if span is None:
            return NO_PARTS
        start, stop = span
        key = sign_part(body, start, stop, self._whole)
        found = None if anew else self._found.get(key)
        if found is None:
            found = self._read(body[start:stop], key)
            # Not one by one: a large body is read in another thread meanwhile.
            if len(self._found) >= SHARED:
                self._found = {}
            self._found[key] = found
        return found


class PromptSessions:
    """The sessions of one proxy."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, tuple[Turn, ...]] = OrderedDict()
        self._bytes = 0
        self._beginnings = Beginnings()
        self._tools, self._system = (
            _Shared(TOOLS, read_tools, WHOLE_TOOLS),
            _Shared(SYSTEM, read_system, WHOLE_SYSTEM),
        )

    def __len__(self) -> int:
        return len(self._lines)

    def forget(self) -> None:
        """Forget all prompts; for any thread."""
        self._lines = OrderedDict()
        self._bytes = 0

    def begin(self, session: str, body: bytes, top: Top, conversation: str) -> "PromptReader":
        """Begin to read the prompt of a request. session: its key, '' for a request that names none; it is then found
        by its first message. top: of the body. conversation: the field that holds the conversation."""
        span = top.find_span(conversation)
        text = Extent(b"[]", 0, 2) if span is None else Extent(body, span[0], span[1])
        key = session or f"first {self._beginnings.find_first(text)}"
        known: Known | None = None
        previous: Turn | None = None
        lines = self._lines.get(key, ())
        anew = False
        for turn in lines:
            if turn.unexplained:
                anew, known, previous = True, None, None
                break
            # One that is shorter cannot have more of it.
            prefixes = turn.prompt.conversation.prefixes
            if known is None or (prefixes and prefixes[0].end > known.prefixes[0].end):
                found = recognize(text, turn.prompt.conversation)
                if found is not None and (known is None or found.end > known.end):
                    known, previous = found, turn
        return PromptReader(self, key, body, top, text, known, previous, anew)

    def read(self, reader: "PromptReader") -> Comparison:
        """Read the rest of a prompt, and compare it."""
        body, top, anew = reader.body, reader.top, reader.anew
        reading = read_conversation(reader.text, reader.known)
        tools = self._tools.get(body, top, anew=anew)
        system = self._system.get(body, top, anew=anew)
        one = reading.conversation
        # Anthropic takes a mark for the whole request too.
        marks = tools.marks + system.marks + one.marks + ("cache_control" in top)
        prompt = Prompt(tools, system, one, read_settings(top), marks)
        previous = reader.previous or self._find_previous(reader.key, prompt)
        change = None if previous is None else _find_change(previous.prompt, prompt, reading)
        return Comparison(reader.key, prompt, previous, change)

    def _find_previous(self, key: str, prompt: Prompt) -> Turn | None:
        """The last turn of the line that a prompt continues of which nothing was recognized: one with the same
        beginning, else one that has the same tools, whose conversation was rewritten."""
        lines = self._lines.get(key, ())
        for turn in lines:
            if turn.prompt.conversation.first == prompt.conversation.first:
                return turn
        tools = prompt.tools.signature
        return next((turn for turn in lines if tools and turn.prompt.tools.signature == tools), None)

    def put(self, comparison: Comparison, turn: Turn) -> None:
        """Note that a request was answered: the next of its line is compared to it. One that asks for a summary may
        lack the tools, so what follows it is compared to the turn before it."""
        lines = self._lines
        previous = comparison.previous
        if turn.compacted and previous is not None:
            turn = msgspec.structs.replace(previous, started=turn.started, compacted=True)
        before = lines.pop(comparison.key, ())
        if previous is not None and len(before) == 1 and before[0] is previous:
            lines[comparison.key] = (turn,)
            self._bytes += turn.prompt.size - previous.prompt.size
        else:
            after = (turn, *[one for one in before if one is not previous])[:LINES]
            lines[comparison.key] = after
            self._bytes += _measure(after) - _measure(before)
        while len(lines) > SESSIONS or (self._bytes > BYTES and len(lines) > 1):
            self._bytes -= _measure(lines.popitem(last=False)[1])


class PromptReader(msgspec.Struct, gc=False):
    """A prompt that is being read."""

    sessions: PromptSessions
    key: str
    body: bytes
    top: Top
    #: The conversation.
    text: Extent
    #: What of it was recognized, and the turn that had it.
    known: Known | None
    previous: Turn | None
    #: Nothing is to be recognized.
    anew: bool

    @property
    def left(self) -> int:
        """Bytes of the conversation that are to be decoded."""
        known, text = self.known, self.text
        return text.stop - text.start - (known.prefixes[0].end if known is not None else 0)

    def read(self) -> Comparison:
        """Read the rest."""
        return self.sessions.read(self)


def _find_change(before: Prompt, after: Prompt, reading: Reading) -> Change | None:
    if before.settings != after.settings or before.tools is not after.tools or before.system is not after.system:
        found = (
            find_setting(before, after)
            or find_tool(before.tools, after.tools)
            or find_block(before.system, after.system)
        )
        if found is not None:
            return found
    at = reading.find_change(before.conversation)
    if at is None:
        return None
    if 0 <= at < max(before.conversation.leading, after.conversation.leading):
        return Change("system", f"message {at + 1}")
    kind = reading.name_kind(at)
    where = "an early message" if at < 0 else f"message {at + 1}" + (f" ({kind})" if kind else "")
    return Change("messages", where)


def _measure(lines: tuple[Turn, ...]) -> int:
    return sum([turn.prompt.size for turn in lines])
