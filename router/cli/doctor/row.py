"""What checks find: rows, and the checks themselves."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from router.cli.doctor.situation import Situation

#: `ok`; `info` asks for nothing; `warn` will or may go wrong; `fail` is wrong.
Verdict = Literal["ok", "info", "warn", "fail"]
#: Seconds of a check.
CHECK_SECONDS = 5.0


class Row(NamedTuple):
    """One thing that a check found."""

    #: Stable, for programs: the check's name, which may go on behind a dot.
    id: str
    status: Verdict
    text: str
    #: What to do, with its command; "" for what needs nothing.
    fix: str = ""
    #: The backend, tool or login that it is about, "" for none.
    subject: str = ""
    #: How long its check took.
    ms: int = 0


#: Finds rows. One that is not asynchronous runs in a thread, as it may block.
Run = Callable[["Situation"], Sequence[Row]] | Callable[["Situation"], Awaitable[Sequence[Row]]]


class Check(NamedTuple):
    """One check."""

    id: str
    run: Run
    seconds: float = CHECK_SECONDS
    subject: str = ""

    def covers(self, name: str) -> bool:
        """True where a name means this check: its own, or the part of it before a dot."""
        return self.id == name or self.id.startswith(f"{name}.")


def count(rows: Sequence[Row], status: Verdict) -> int:
    """How many rows have this verdict."""
    return sum(row.status == status for row in rows)
