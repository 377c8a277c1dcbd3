"""A translated stream whose model may call fairlead's own web search: several answers of the upstream become one."""

from collections.abc import Sequence

import msgspec

from router.ir import Fault, Request, Searched, Usage
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.own_search import DueSearches, OwnSearchFilter, add_usage
from router.wire.protocols import BY_NAME
from router.wire.translate import Sent, Stream


def encode_round(request: Request, target: str, ctx: Context) -> Sent:
    """The request of a further round. Raises RouterError in the caller's terms."""
    written, headers = BY_NAME[target].codec.encode_request(request, ctx)
    return Sent(msgspec.json.encode(written), headers, usage=True)


class SearchingStream(Stream):
    """Translates the rounds of one answer. `due` names the searches that it waits for."""

    def __init__(self, source: str, target: str, ctx: Context):
        super().__init__(source, target, ctx)
        self._search = OwnSearchFilter(ctx)
        self._filters = (*self._filters, self._search)

    @property
    def due(self) -> DueSearches | None:
        """The searches that the answer waits for at the end of a round; None while it waits for none."""
        return self._search.due

    @property
    def usage(self) -> Usage:
        """The token counts of all rounds so far."""
        return add_usage(self._search.before, super().usage)

    def resume(self, found: Sequence[Searched], *, goes_on: bool) -> bytes:
        """The events of the searches that were made. goes_on: another answer of the upstream follows; else the answer
        ends as its last round did."""
        due = self._search.due
        self._search.resume()
        if goes_on or due is None:
            self._decoder = BY_NAME[self._source].codec.decoder(self._ctx)
            self._joiner = None
            return self._encode(found)
        stop = due.ended.stop if due.others or due.ended.stop != "tool" else "end"
        # The counts of that round are in its end already.
        self._search.before = Usage()
        return self._encode([*found, msgspec.structs.replace(due.ended, stop=stop)])

    def fail(self, fault: Fault) -> bytes:
        """The events of an error that ends the answer."""
        return self._encode([fault])
