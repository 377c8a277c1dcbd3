"""From a finished request to its entry in the history, the metrics and the live stream.

This runs on the request path, once a request: it hands over the record, which does not change any more; what can be
made of it later, in the writer's thread, is made there. A generation whose usage cannot be read, or that was cut, is
counted by an estimate and marked: by the bytes sent, and by the pieces that came.
"""

import threading
from collections import deque
from collections.abc import Callable

from router.store.history.derive import compile_entry
from router.store.history.entry import ENTRY_TYPE, HistoryEntry
from router.store.interfaces import EntryWriter, Price, StoreWriter
from router.telemetry.accesslog import RequestRecord
from router.telemetry.metrics_counts import Counters

#: Bytes of a request's body for each token, where its input tokens have to be estimated; routing rules count so too.
BYTES_PER_TOKEN = 3.6
#: How many of the last requests are held for new listeners.
RECENT = 50
#: The most requests that wait to be processed; at FLUSH_AT the ledger's thread is asked to begin at once.
WAITING_LIMIT, FLUSH_AT = 1500, 1000
#: How many are processed at a time: half a millisecond in which no request makes progress.
PIECE = 100
#: Called with each finished request; it must not wait.
Listener = Callable[[HistoryEntry], None]


class Recorder:
    """Gives each finished request to the history, the metrics and the listeners. ledger: its thread makes the
    entries."""

    def __init__(self, ledger: StoreWriter, history: EntryWriter, price: Price):
        self._ledger = ledger
        self._history = history
        #: What a request cost; for threads.
        self.price = price
        self.listeners: set[Listener] = set()
        #: Replaces a request's reservation by what it used; None while nothing is reserved.
        self.settle: Listener | None = None
        self._counters = Counters()
        self._recent: deque[HistoryEntry] = deque(maxlen=RECENT)
        self._ended: deque[RequestRecord | HistoryEntry] = deque()
        # Held while some of them go to the history, the metrics and `recent`: by the ledger's thread, as a rule.
        self._processing = threading.Lock()
        ledger.add_preparation(self._process_in_pieces)

    def add_finished(self, record: RequestRecord) -> None:
        """Record a request that has ended; the record must not change any more."""
        self._enqueue(record)

    def add_refused(self, record: RequestRecord) -> None:
        """Record a request that could not be parsed, or whose path is not served. `record.path` is a word for that, not
        the path: it may hold anything, also a key that was put into a URL."""
        self._enqueue(record)

    def _enqueue(self, record: RequestRecord) -> None:
        ended: RequestRecord | HistoryEntry = record
        if self.listeners or self.settle is not None:
            ended = make_entry(record)
            self._announce(ended)
        self._ended.append(ended)
        waiting = len(self._ended)
        if waiting == FLUSH_AT:
            self._ledger.flush_soon()
        elif waiting > WAITING_LIMIT:
            # The ledger's thread does not keep up: processing two for each that comes costs a request microseconds.
            self._process(2)
        else:
            self._ledger.wake()

    def _announce(self, entry: HistoryEntry) -> None:
        if self.settle is not None:
            self.settle(entry)
        for listener in tuple(self.listeners):
            listener(entry)

    def _process_in_pieces(self) -> None:
        """Process all that have ended, with pauses; for the ledger's thread."""
        while self._process(PIECE):
            self._ledger.pause()

    def _process_all(self) -> None:
        while self._process(PIECE):
            pass

    def _process(self, most: int) -> bool:
        """Give the oldest requests that have ended to the history, the metrics and `recent`. True when more wait. What
        another thread is processing is done too when this returns."""
        with self._processing:
            ended = self._ended
            some = [ended.popleft() for _ in range(min(most, len(ended)))]
            entries = [one if isinstance(one, HistoryEntry) else make_entry(one) for one in some]
            self._history.extend(entries)
            self._counters.count(entries)
            self._recent.extend(entries)
        return bool(ended)

    @property
    def waiting(self) -> int:
        """How many requests have ended and are not processed yet."""
        return len(self._ended)

    @property
    def recent(self) -> list[HistoryEntry]:
        """The requests that ended last, the newest at the end."""
        self._process_all()
        with self._processing:
            return list(self._recent)

    @property
    def counters(self) -> Counters:
        """The counts of all requests that have ended."""
        self._process_all()
        return self._counters


#: Make the entry of a request that has ended.
make_entry: Callable[[RequestRecord], HistoryEntry] = compile_entry(ENTRY_TYPE)
