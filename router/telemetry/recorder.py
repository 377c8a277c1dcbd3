"""From a finished request to its entry in the history, the metrics and the live stream.

This runs on the request path, once a request: it hands over the record, which nobody changes any more; what can be
made of it later, in the writer's thread, is made there. A generation whose usage cannot be read, or that was cut, is
counted by an estimate and marked: by the bytes sent, and by the pieces that came.
"""

import threading
from collections import deque
from collections.abc import Callable

from router.policy.budget.prices import PRICED, Prices, Tokens
from router.settings import Settings
from router.store.database.writer import Ledger
from router.store.history.entry import Entry, Priced
from router.store.history.record import History
from router.telemetry.accesslog import Record
from router.telemetry.metrics_counts import Counters
from router.wire.headers.rate_limits import billing_and_usage

# As for routing rules: product.md 4.
BYTES_PER_TOKEN = 3.6
RECENT = 50
#: Requests that have ended and wait to be told of: more do not wait, and at so many the ledger's thread is hurried.
UNTOLD, HURRY = 1500, 1000
#: How many are told of at a time: half a millisecond in which no request gets on.
TOGETHER = 100
#: Who is told of each finished request; it must not wait.
Listener = Callable[[Entry], None]


class Recorder:
    """The history, the metrics and the listeners of one proxy. settings: those that hold now."""

    def __init__(self, ledger: Ledger, settings: Callable[[], Settings]):
        self._ledger = ledger
        self._settings = settings
        self._prices = Prices()
        self._pricing = threading.Lock()
        self._history = History(ledger, self.price, lambda: settings().history_retention)
        self.listeners: set[Listener] = set()
        #: Puts what a request used in the place of its reservation; None while nothing is reserved.
        self.settle: Listener | None = None
        self._counters = Counters()
        self._recent: deque[Entry] = deque(maxlen=RECENT)
        self._ended: deque[Record | Entry] = deque()
        # Held while some of them are told to the history, the metrics and `recent`: by the ledger's thread, as a rule.
        self._telling = threading.Lock()
        ledger.before(self._tell_in_pieces)

    def finished(self, record: Record) -> None:
        """Record a request that has ended; nobody changes it any more."""
        self._keep(record)

    def refused(self, record: Record) -> None:
        """Record a request that was none: it could not be read, or its path is nobody's. `record.path` is a word for
        that: what stood there may hold anything, also a key that was put into a URL."""
        self._keep(record)

    def _keep(self, record: Record) -> None:
        ended: Record | Entry = record
        if self.listeners or self.settle is not None:
            ended = entry_of(record)
            self._announce(ended)
        self._ended.append(ended)
        waiting = len(self._ended)
        if waiting == HURRY:
            self._ledger.hurry()
        elif waiting > UNTOLD:
            # Its thread is held up: two for each that comes is a price that no request notices.
            self._tell(2)
        else:
            self._ledger.wake()

    def _announce(self, entry: Entry) -> None:
        if self.settle is not None:
            self.settle(entry)
        for listener in tuple(self.listeners):
            listener(entry)

    def _tell_in_pieces(self) -> None:
        """Tell of all that have ended; for the ledger's thread."""
        while self._tell(TOGETHER):
            self._ledger.pause()

    def _tell_all(self) -> None:
        while self._tell(TOGETHER):
            pass

    def _tell(self, most: int) -> bool:
        """Tell of the oldest of those that have ended; True when there are more. What another thread tells of just
        now is told of too when it returns."""
        with self._telling:
            ended = self._ended
            some = [ended.popleft() for _ in range(min(most, len(ended)))]
            entries = [one if isinstance(one, Entry) else entry_of(one) for one in some]
            self._history.prepared(entries)
            self._counters.count(entries)
            self._recent.extend(entries)
        return bool(ended)

    @property
    def waiting(self) -> int:
        """Requests that have ended and that are not told of yet."""
        return len(self._ended)

    @property
    def recent(self) -> list[Entry]:
        """The requests that ended last, the newest at the end."""
        self._tell_all()
        with self._telling:
            return list(self._recent)

    @property
    def counters(self) -> Counters:
        """The counts of all requests that have ended."""
        self._tell_all()
        return self._counters

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


def entry_of(record: Record) -> Entry:
    """What is told of a request that has ended."""
    usage = record.usage
    billing, used, windows = billing_and_usage(record.limits)
    # By position: 33 names would take as long again as the rest of this.
    return Entry(
        record.id,
        record.started,
        record.method,
        record.path,
        record.client,
        record.protocol,
        record.model or "",
        record.sent_model or "",
        record.backend,
        record.root,
        record.account,
        record.status,
        record.error,
        record.attempts,
        record.queued,
        record.first_byte,
        record.total,
        usage.input,
        usage.output,
        usage.cache_read,
        usage.cache_write,
        usage.reasoning,
        record.losses,
        record.stream,
        billing,
        used,
        windows,
        record.tag,
        record.estimated,
        "; ".join(record.notes) if record.notes else "",
        tuple(record.tries),
        record.binding,
        record.given_up,
    )
