"""A play: a function with one sentence of what it shows, run on a stage and reported in one line."""

import subprocess
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from rehearsal.stage import Stage

Setting = TypeVar("Setting")
#: A play raises Failed when what it shows does not hold, NotHere when it cannot be played on this machine.
Play = Callable[[Stage], None]


class Failed(Exception):
    """What was seen, and what was expected."""


class NotHere(Exception):
    """What this machine lacks for the play."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a play ended."""

    #: `ok`, `FAIL` or `not here`.
    word: str
    name: str
    #: What the play shows.
    about: str
    #: What was seen, or what this machine lacks; empty for `ok`.
    reason: str
    #: How long it took.
    seconds: float

    def format(self) -> str:
        """The line of the report, followed by the reason of a failure."""
        line = f"{self.word:<9} {self.name:<28} {self.about} ({self.seconds:.1f} s)"
        if self.word == "not here":
            return f"{self.word:<9} {self.name:<28} {self.about} (needs {self.reason})"
        return "\n          ".join([line, *self.reason.splitlines()])


def name_of(play: Play) -> str:
    """The name that `--only` takes: install-fresh for play_install_fresh."""
    return play.__name__.removeprefix("play_").replace("_", "-")


def about(play: Play) -> str:
    """The sentence of what a play shows."""
    return " ".join((play.__doc__ or "").split()).removesuffix(".")


def expect(holds: object, otherwise: str) -> None:
    """Raise Failed unless it holds."""
    if not holds:
        raise Failed(otherwise)


def perform(
    plays: Iterable[Play], make_stage: Callable[[], AbstractContextManager[Stage]], *, at_once: int = 1
) -> Iterator[Outcome]:
    """Run each play on a stage of its own, so many at once; yields how each ended, in their order."""

    def play_one(play: Play) -> Outcome:
        began = time.monotonic()
        word, reason = "ok", ""
        try:
            with make_stage() as stage:
                play(stage)
        except NotHere as lacking:
            word, reason = "not here", str(lacking)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            word, reason = "FAIL", f"{type(error).__name__}: {error}" if not isinstance(error, Failed) else str(error)
        except Exception:  # a defect of the play: the others are still worth playing
            word, reason = "FAIL", traceback.format_exc()
        return Outcome(word, name_of(play), about(play), reason, time.monotonic() - began)

    if at_once == 1:
        # In this thread, so that what ends it ends the play, which takes away what it mounted and started.
        yield from map(play_one, plays)
        return
    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(play_one, plays)
    finally:
        pool.shutdown(cancel_futures=True)
