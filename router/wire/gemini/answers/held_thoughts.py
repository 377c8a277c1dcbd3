"""Reasoning of an answer that waits for the part whose signature carries it (carriers.py)."""

from router.wire.gemini.carriers import CarriedThought, TextBinding, bind_call, pack
from router.wire.neutral.context import Context


class HeldThoughts:
    """The reasoning since the last signature."""

    __slots__ = ("_ahead", "_ctx", "_held", "_said", "_signature", "_text")

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._held: list[CarriedThought] = []
        # The block that is open, and whether it began in front of all text since the last call.
        self._text: list[str] = []
        self._signature = ""
        self._ahead = False
        self._said = TextBinding()

    def say(self, text: str) -> None:
        """Text was written; it ends the open block."""
        if self._text or self._signature:
            self.end_block()
        self._said.add(text)

    def think(self, text: str) -> None:
        """More of the open block."""
        self._begin()
        self._text.append(text)

    def sign(self, signature: str) -> None:
        """The signature of the open block."""
        self._begin()
        self._signature = signature

    def redact(self, data: str) -> None:
        """A block of opaque data."""
        self.end_block()
        self._held.append(CarriedThought(redacted=data, ahead=self._said.empty))

    def end_block(self) -> None:
        """End the open block."""
        text = "".join(self._text)
        if text or self._signature:
            self._held.append(CarriedThought(text, self._signature, ahead=self._ahead))
        self._text.clear()
        self._signature = ""

    def _begin(self) -> None:
        if not self._text and not self._signature:
            self._ahead = self._said.empty

    def sign_call(self, call_id: str) -> str:
        """The signature of a call that begins; '' where no reasoning stands in front of it. Text in front of it is not
        bound to any other signature."""
        self.end_block()
        found = self._pack(bind_call(call_id)) if self._held else ""
        self.begin_text()
        return found

    def sign_text(self) -> str:
        """The signature of the text that ends the answer; '' where no reasoning is left."""
        self.end_block()
        return self._pack(self._said.bind()) if self._held else ""

    def begin_text(self) -> None:
        """A call was written: text that follows stands behind it."""
        self._said = TextBinding()

    def _pack(self, bound: str) -> str:
        found = pack(tuple(self._held), bound, self._ctx.sealer)
        self._held.clear()
        return found
