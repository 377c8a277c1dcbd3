"""A tap that fills the calls of the stream which it reads, and the fillers by protocol."""

from collections.abc import Callable

from router.backends.profile import Profile
from router.wire.dialect import Dialect
from router.wire.tap import Tap
from router.wire.tool_context.calls import ToolContext, format_fields
from router.wire.tool_context.chat import ChatFiller
from router.wire.tool_context.events import AnswerFiller
from router.wire.tool_context.messages import MessagesFiller
from router.wire.tool_context.responses import ResponsesFiller

FILLERS: dict[str, Callable[[ToolContext], AnswerFiller]] = {
    "chat": ChatFiller,
    "messages": MessagesFiller,
    "responses": ResponsesFiller,
}


def make_filler(protocol: str, context: ToolContext) -> AnswerFiller:
    """The filler for an answer of a protocol."""
    return FILLERS[protocol](context)


def declare_fields(context: ToolContext) -> str:
    """What may be filled in a stream, for its head."""
    return f"where empty: {format_fields(context.list_values())}"


class FillingTap(Tap):
    """A tap whose events are filled once they are read, so that what is counted is what the upstream sent."""

    __slots__ = ("_filler",)

    weight = 32

    def __init__(
        self,
        dialect: Dialect,
        profile: Profile,
        context: ToolContext,
        *,
        hide_usage: bool = False,
        on_end: Callable[[bytes], None] | None = None,
    ):
        super().__init__(dialect, profile, hide_usage=hide_usage, on_end=on_end)
        self._filler = make_filler(dialect.name, context)

    def read(self, batch: bytes) -> bytes:
        """Scan whole events; returns them filled. Events that wait for the next piece of a call come with it."""
        out = self._filler.fill_events(super().read(batch))
        return out if self.ended is None else out + self._filler.release()

    def complete(self, events: bytes) -> bytes:
        """The events that end a stream which broke, behind those that wait."""
        return self._filler.release() + self._filler.fill_events(events) + self._filler.release()

    def declare(self) -> str:
        """The fields that are filled where they are empty: the head comes before it is known whether they are."""
        return declare_fields(self._filler.context)

    def list_notes(self) -> list[str]:
        """What was filled, for the record of the request."""
        self._filler.end()
        return self._filler.context.list_notes()
