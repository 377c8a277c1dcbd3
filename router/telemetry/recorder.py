"""Gives each finished request to the history, the metrics and the live stream.

On the request path a record is only put into a queue; the writer's thread makes the entry of it later. Where there are
listeners or reservations, the entry is made at once.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from router.store.history.derive import compile_entry
from router.store.history.entry import ENTRY_TYPE, HistoryEntry
from router.store.interfaces import EntryWriter, Price, StoreWriter
from router.telemetry.accesslog import RequestRecord
from router.telemetry.metrics_counts import Counters

#: How many of the last requests are held for new listeners.
RECENT = 50
#: The most requests that wait to be processed; at FLUSH_AT the ledger's thread is asked to begin at once.
WAITING_LIMIT, FLUSH_AT = 1500, 1000
#: How many are processed at a time: half a millisecond in which no request makes progress.
PIECE = 100
#: Called with each finished request; it must not wait.
Listener = Callable[[HistoryEntry], None]


class Recorder:
    """Gives each finished request to the history, the metrics and the listeners. ledger: the entries are made in its
    thread."""

    def __init__(self, ledger: StoreWriter, history: EntryWriter, price: Price):
        self._ledger = ledger
        self._history = history
        #: Computes what a request cost; for threads.
        self.price = price
        self.listeners: set[Listener] = set()
        #: Replaces a request's reservation by what it used; None while nothing is reserved.
        self.settle: Listener | None = None
        #: Takes requests that have ended, in the ledger's thread; None while nothing is exported. It must not wait.
        self.export: Callable[[Sequence[HistoryEntry]], None] | None = None
        #: Backends whose requests are not recorded, though listeners are told: those of the demo's own requests.
        self.unrecorded: frozenset[str] = frozenset()
        self._counters = Counters()
        self._recent: deque[HistoryEntry] = deque(maxlen=RECENT)
        self._ended: deque[RequestRecord | HistoryEntry] = deque()
        # Held while records are processed, usually by the ledger's thread.
        self._processing = threading.Lock()
        ledger.add_preparation(self._process_in_pieces)

    def add_finished(self, record: RequestRecord) -> None:
        """Record a request that has ended; the record must not change any more."""
        if record.backend not in self.unrecorded:
            self._enqueue(record)
        elif self.listeners:
            self._tell(make_entry(record))

    def tell_remote(self, entry: HistoryEntry) -> None:
        """Tell the listeners of a request that another process of this port has served and recorded."""
        self._recent.append(entry)
        self._tell(entry)

    def add_refused(self, record: RequestRecord) -> None:
        """Record a request that could not be parsed, or whose path is not served. `record.path` must be a word for
        that, not the path, which may contain anything, such as a key that was put into a URL."""
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
            # The ledger's thread is too slow: each new request processes two waiting ones, which takes microseconds.
            self._process(2)
        else:
            self._ledger.wake()

    def _announce(self, entry: HistoryEntry) -> None:
        if self.settle is not None:
            self.settle(entry)
        self._tell(entry)

    def _tell(self, entry: HistoryEntry) -> None:
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
        """Give the oldest requests that have ended to the history, the metrics and `recent`; True when more wait. Waits
        for another thread that is processing some."""
        with self._processing:
            ended = self._ended
            some = [ended.popleft() for _ in range(min(most, len(ended)))]
            entries = [one if isinstance(one, HistoryEntry) else make_entry(one) for one in some]
            self._history.extend(entries)
            self._counters.count(entries)
            self._recent.extend(entries)
            if self.export is not None:
                self.export(entries)
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

    def forget_recent(self) -> None:
        """Forget the requests that ended last, as their rows were erased. The counts are sums without names of them."""
        self._process_all()
        with self._processing:
            self._recent.clear()

    @property
    def counters(self) -> Counters:
        """The counts of all requests that have ended."""
        self._process_all()
        return self._counters


#: Make the entry of a request that has ended.
make_entry: Callable[[RequestRecord], HistoryEntry] = compile_entry(ENTRY_TYPE)
