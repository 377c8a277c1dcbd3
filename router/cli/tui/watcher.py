"""The thread that asks the source, so that what it waits for never holds up the screen: one look after the other, and
between them what the user asked for."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from router.cli.tui.picture import Picture, Source
from router.errors import CommandError

Job = Callable[[Source], Any]


class Watcher:
    """Looks every so often, and does one thing at a time. make_source: called in the thread too, since what a source
    imports takes longer than the first frame. show: takes each picture. tell: takes what came of a job, or
    the CommandError that ended it, with the function that was given with it. fail: takes what is a defect. All three
    are called in this thread. width: of the screen."""

    def __init__(
        self,
        make_source: Callable[[], Source],
        *,
        show: Callable[[Picture], object],
        tell: Callable[[Callable[[Any], None], Any], object],
        fail: Callable[[Exception], object],
        width: Callable[[], int],
        pause: float,
    ):
        self._make_source, self._show, self._tell, self._fail = make_source, show, tell, fail
        self._width, self._pause = width, pause
        self._jobs: queue.SimpleQueue[tuple[Job, Callable[[Any], None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def ask(self, job: Job, then: Callable[[Any], None]) -> None:
        """Have the source do something, then look again."""
        self._jobs.put((job, then))

    def stop(self) -> None:
        """End after what is being done."""
        self._jobs.put(None)

    def _run(self) -> None:
        last: Picture | None = None
        try:
            source = self._make_source()
            while True:
                began = time.monotonic()
                picture = source.look(self._width())
                if picture is not last:
                    self._show(picture)
                last = picture
                # A look that took long is followed by a rest as long.
                spent = time.monotonic() - began
                if not self._do_next(source, max(self._pause, spent)):
                    return
        except Exception as error:
            self._fail(error)

    def _do_next(self, source: Source, pause: float) -> bool:
        """Wait for a job; False for the end."""
        try:
            asked = self._jobs.get(timeout=pause)
        except queue.Empty:
            return True
        if asked is None:
            return False
        job, then = asked
        try:
            came = job(source)
        except CommandError as error:
            came = error
        self._tell(then, came)
        return True
