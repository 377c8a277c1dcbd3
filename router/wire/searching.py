"""A translated answer whose model may call fairlead's own web search: several answers of the upstream become one."""

from collections.abc import Sequence

import msgspec

from router.ir import Answer, Began, Event, Fault, Request, Searched, Usage
from router.wire.neutral.assemble import NoAnswer, assemble_answer, split_answer
from router.wire.neutral.context import Context
from router.wire.neutral.repeated_text import RepeatedText
from router.wire.neutral.stream_filters import stream_filters
from router.wire.neutral.tool_forms.own_search import DueSearches, OwnSearchFilter, add_usage
from router.wire.protocols import BY_NAME
from router.wire.translate import Sent, Stream, filter_answer


def encode_round(request: Request, target: str, ctx: Context) -> Sent:
    """The request of a further round. Raises RouterError in the caller's terms."""
    written, headers = BY_NAME[target].codec.encode_request(request, ctx)
    return Sent(msgspec.json.encode(written), headers, usage=True)


class SearchingStream(Stream):
    """Translates the rounds of one stream. `due` names the searches that it waits for."""

    def __init__(self, source: str, target: str, ctx: Context):
        super().__init__(source, target, ctx)
        self._search = OwnSearchFilter(ctx)
        self._filters = (*self._filters, self._search)
        # The token counts of a round that was answered whole, None for one that is streamed.
        self._whole: Usage | None = None

    @property
    def due(self) -> DueSearches | None:
        """The searches that the answer waits for at the end of a round; None while it waits for none."""
        return self._search.due

    @property
    def usage(self) -> Usage:
        """The token counts of all rounds so far."""
        return add_usage(self._search.before, super().usage if self._whole is None else self._whole)

    def resume(self, found: Sequence[Searched], *, goes_on: bool) -> bytes:
        """The events of the searches that were made. goes_on: another answer of the upstream follows; else the answer
        ends as its last round did."""
        out = self._encode(self._search.resume(found, goes_on=goes_on))
        if goes_on:
            self._decoder = BY_NAME[self._source].codec.decoder(self._ctx)
            self._repeats = RepeatedText(usable=self._decoder.pure_text)
            self._joiner = self._whole = None
            # What a filter holds or has seen is of one answer of the upstream.
            self._filters = (*stream_filters(self._ctx), self._search)
        return out

    def add(self, found: Answer) -> bytes:
        """The events of a round that was answered whole; `due` may name further searches then."""
        self._whole = found.usage
        return self._encode(event for event in split_answer(found) if type(event) is not Began)

    def fail(self, fault: Fault) -> bytes:
        """The events of an error that ends the answer."""
        return self._encode([fault])


class SearchingAnswer:
    """Puts the rounds of a whole answer together. `due` names the searches that it waits for."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._search = OwnSearchFilter(ctx)
        self._events: list[Event] = []
        #: The token counts of all rounds so far.
        self.usage = Usage()

    @property
    def due(self) -> DueSearches | None:
        """The searches that the answer waits for; None once it is whole."""
        return self._search.due

    def add(self, found: Answer) -> None:
        """Add the upstream's answer of a round. Raises NoAnswer."""
        self.usage = add_usage(self._search.before, found.usage)
        for event in split_answer(filter_answer(found, self._ctx)):
            # The answer has the id of its first round.
            if not (self._events and type(event) is Began):
                self._events += self._search.apply(event)

    def resume(self, found: Sequence[Searched], *, goes_on: bool) -> None:
        """Add the searches that were made. goes_on: another answer of the upstream follows."""
        self._events += self._search.resume(found, goes_on=goes_on)

    def join(self) -> Answer:
        """The answer of all rounds. Raises NoAnswer."""
        found = assemble_answer(self._events, self._ctx)
        if type(found) is Answer:
            return found
        raise NoAnswer(found or Fault(502, "api_error", "The upstream's answer has no end."))
