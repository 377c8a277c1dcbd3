"""From a finished request to its entry in the history, the metrics and the live stream.

This runs on the request path, once a request: it copies fields, and hands over. A generation whose usage cannot be
read, or that was cut, is counted by an estimate and marked: by the bytes sent, and by the pieces that came.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from router.policy.clients import client_of
from router.policy.prices import PRICED, Prices, Tokens
from router.proxy.accesslog import Record
from router.proxy.counters import Counters
from router.settings import Settings
from router.store.history import Entry, History, Priced
from router.store.ledger import Ledger
from router.wire.limits import reading

if TYPE_CHECKING:
    from router.proxy.ticket import Ticket

# As for routing rules: product.md 4.
BYTES_PER_TOKEN = 3.6
RECENT = 50
#: Of a path that is kept: a head may hold one of 64 KiB, and thousands of entries may wait.
PATH_LIMIT = 200
#: Who is told of each finished request; it must not wait.
Listener = Callable[[Entry], None]


class Recorder:
    """The history, the metrics and the listeners of one proxy. settings: those that hold now."""

    def __init__(self, ledger: Ledger, settings: Callable[[], Settings]):
        self._settings = settings
        self._prices = Prices()
        self._pricing = threading.Lock()
        self._history = History(ledger, self.price, lambda: settings().history_retention)
        self.counters = Counters()
        self.recent: deque[Entry] = deque(maxlen=RECENT)
        self.listeners: set[Listener] = set()
        #: Puts what a request used in the place of its reservation.
        self.settle: Listener = lambda _: None

    def finished(self, ticket: "Ticket") -> None:
        """Record a request that has ended; `ticket.record` is complete but for estimates."""
        record = ticket.record
        record.client = client_of(ticket.request.fields)
        if ticket.upstream is not None:
            record.billing, record.utilisation, record.windows = reading(ticket.upstream.fields)
        if ticket.call.generates and record.attempts:
            estimate(record, writes=ticket.call.path != "/v1/embeddings")
        if record.tries:
            _end_attempt(record, ticket.upstream.status if ticket.upstream is not None else 0)
        entry = _entry(record, ticket.target.backend.root if ticket.target is not None else "", _losses(ticket))
        self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self._history.add(entry)
        self.counters.count(entry)
        self.recent.append(entry)
        self.settle(entry)
        for listener in tuple(self.listeners):
            listener(entry)

    def refused(self, record: Record) -> None:
        """Record a request that was none: it could not be read, or its path is nobody's. `record.path` is a word for
        that: what stood there may hold anything, also a key that was put into a URL."""
        self._keep(
            Entry(
                id=record.id,
                started=record.started,
                method=record.method,
                path=record.path,
                status=record.status,
                error=record.error,
                first_byte=record.first_byte,
                total=record.total,
            )
        )

    def price(self, entry: Entry) -> Priced:
        """What a request cost; for the ledger's thread and those of readers, as it may load the price data."""
        own = self._settings().prices
        if (not own and not entry.root.startswith(PRICED)) or (entry.tokens_in is None and entry.tokens_out is None):
            return None, ""
        tokens = Tokens(
            input=entry.tokens_in or 0,
            output=entry.tokens_out or 0,
            cache_read=entry.cache_read or 0,
            cache_write=entry.cache_write or 0,
        )
        model = entry.served or entry.model
        try:
            with self._pricing:
                return self._prices.cost(entry.root, model, tokens, entry.started, own)
        except Exception:
            # A defect of the price data, or an installation without them, must not lose the row.
            return None, ""


def _end_attempt(record: Record, status: int) -> None:
    """Fill in how the last attempt ended, where that was not said. status: of the last answer's head."""
    last = record.tries[-1]
    if not last.done:
        last.status, last.error = last.status or status, last.error or record.error


def estimate(record: Record, *, writes: bool) -> None:
    """Fill in what the upstream did not say of a generation. writes: the answer is text of a model, not embeddings."""
    if record.error == "upstream_error" or (record.status >= 400 and not record.estimated and record.guess == 0):
        return  # refused: nobody pays for it
    usage = record.usage
    if usage.input is None:
        record.estimated = True
        read = (usage.cache_read or 0) + (usage.cache_write or 0)
        usage.input = max(0, round(record.request_bytes / BYTES_PER_TOKEN) - read)
    if writes and (usage.output is None or record.error):
        # Cut short: the count that stands at a stream's beginning says nothing of its end.
        record.estimated = True
        usage.output = max(usage.output or 0, record.guess)


def _losses(ticket: "Ticket") -> str:
    """What a translation could not carry over, as `path=how; …`."""
    if ticket.plan is None:
        return ""
    return "; ".join(f"{loss.path}={loss.how}" for loss in ticket.plan.ctx.losses)


def _entry(record: Record, root: str, losses: str) -> Entry:
    usage = record.usage
    return Entry(
        id=record.id,
        started=record.started,
        method=record.method,
        path=record.path[:PATH_LIMIT],
        client=record.client,
        protocol=record.protocol,
        model=record.model or "",
        served=record.sent_model or "",
        backend=record.backend,
        root=root,
        account=record.account,
        status=record.status,
        error=record.error,
        attempts=record.attempts,
        queued=record.queued,
        first_byte=record.first_byte,
        total=record.total,
        tokens_in=usage.input,
        tokens_out=usage.output,
        cache_read=usage.cache_read,
        cache_write=usage.cache_write,
        reasoning=usage.reasoning,
        losses=losses,
        stream=record.stream,
        billing=record.billing,
        utilisation=record.utilisation,
        windows=record.windows,
        tag=record.tag,
        estimated=record.estimated,
        notes="; ".join(record.notes) if record.notes else "",
        tries=tuple(record.tries),
        binding=record.binding,
        given_up=record.given_up,
    )
