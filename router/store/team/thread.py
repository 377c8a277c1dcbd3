"""The thread of a process for its calls of the team's server that nothing waits for.

Not the ledger's: a server that answers nothing holds this thread for a second at a time, in which rows of history.db
would wait. Jobs run in their order; one that fails is not repeated.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from router.store.team.client import Refused, Unreachable

Job = Callable[[], None]
# Jobs that may wait. The server is down when so many do, and each tells what later ones tell again.
_WAITING = 1000


class _Repeated(msgspec.Struct):
    """A job that runs at intervals."""

    seconds: float
    job: Job
    #: When it runs next, by the monotonic clock.
    due: float = 0.0


class TeamThread:
    """Runs jobs, and others at intervals. say: logs a line for the user."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._jobs: deque[Job] = deque(maxlen=_WAITING)
        self._repeated: list[_Repeated] = []
        self._later: list[_Repeated] = []
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._said: set[str] = set()

    def start(self) -> None:
        """Start the thread; again without effect."""
        with self._starting:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="team", daemon=True)
                self._thread.start()

    def submit(self, job: Job) -> None:
        """Have a job run soon. Never waits."""
        self._jobs.append(job)
        self._wake.set()
        self.start()

    def prepare(self, job: Job) -> None:
        """Have a job run before all others, once the thread runs. To be called before `start`."""
        self._jobs.append(job)

    def repeat(self, seconds: float, job: Job) -> None:
        """Have a job run every so many seconds, once the thread runs. To be called before `start`."""
        self._repeated.append(_Repeated(seconds, job))

    def submit_later(self, seconds: float, job: Job) -> None:
        """Have a job run once, so many seconds from now. For jobs of this thread. It does not run once it ends."""
        self._later.append(_Repeated(seconds, job, time.monotonic() + seconds))

    def close(self, seconds: float = 2.0) -> None:
        """Run what waits, for at most `seconds`, and end. Blocks."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            self._wake.clear()
            while self._jobs:
                self._do(self._jobs.popleft())
            if self._stopping:
                return
            self._wake.wait(self._run_due())

    def _run_due(self) -> float | None:
        """Run the repeated jobs that are due; the seconds until the next is."""
        due = [one for one in self._later if time.monotonic() >= one.due]
        self._later = [one for one in self._later if one not in due]
        for one in due:
            self._do(one.job)
        for one in self._repeated:
            if time.monotonic() >= one.due:
                self._do(one.job)
                one.due = time.monotonic() + one.seconds
        return min((max(0.0, one.due - time.monotonic()) for one in (*self._later, *self._repeated)), default=None)

    def _do(self, job: Job) -> None:
        try:
            job()
        except Unreachable:
            pass  # it was said by the breaker
        except Refused as error:
            self._say_once(f"shared: {error}")
        except Exception as error:
            # A defect of one job must not end the thread of all the others.
            self._say_once(f"shared: {getattr(job, '__name__', 'a job')} failed: {type(error).__name__}: {error}")

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < 20:
            self._said.add(text)
            self._say(text)
