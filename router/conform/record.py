"""What a probe finds, and the card that keeps what all of them found."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

#: `yes`: as the protocol says; `partly`: with an exception that the evidence names; `no`: not; `unknown`: could not be
#: found out, for the reason that the evidence gives.
VerdictWord = Literal["yes", "partly", "no", "unknown"]
#: Of the card's file; raised when a reader of the older form would misread it.
SCHEMA = 1
_ORDER: tuple[VerdictWord, ...] = ("yes", "partly", "no", "unknown")
_NO_FLAGS: Mapping[str, object] = {}


class Member(NamedTuple):
    """What a flag that is a list should hold, or not hold, in place of a value for the whole list."""

    value: str
    held: bool


class Finding(NamedTuple):
    """What one probe found."""

    verdict: VerdictWord
    #: What shows it, or the reason of `unknown`; '' for the last answer's status and beginning. Any length and any
    #: text: the runner redacts and cuts it.
    evidence: str = ""
    #: Flag of `backends.profile.Profile` -> the value that the backend was seen to need, or one Member or several of a
    #: flag that is a list. Only what was seen, whatever the profile says now.
    flags: Mapping[str, object] = _NO_FLAGS


class Unknown(Exception):
    """A probe cannot tell; the text is the reason."""


class OverBudget(Unknown):
    """The next request would pass the budget; it was not sent."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a card."""

    #: `GROUP.NAME`.
    id: str
    verdict: VerdictWord
    #: Redacted, at most 200 bytes.
    evidence: str
    #: HTTP status of the last answer, None where none came.
    status: int | None = None
    #: Requests that were sent for it.
    requests: int = 0
    #: UTC, RFC 3339.
    date: str = ""

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A flag of the profile that does not fit what was seen."""

    flag: str
    #: The values as config.toml writes them.
    now: Any
    seen: Any
    #: Ids of the rows that show it.
    probes: tuple[str, ...] = ()


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a backend with one model."""

    schema: int = SCHEMA
    #: Version of fairlead that wrote it.
    fairlead: str
    #: UTC, RFC 3339, of the oldest row.
    date: str
    backend: str
    #: The backend's base URL, without login.
    root: str
    model: str
    #: What the catalog and answers said of the model, hashed; '' where they said nothing.
    fingerprint: str = ""
    probes: tuple[Row, ...] = ()
    profile_diff: tuple[Difference, ...] = ()
    #: Of the last run.
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    #: US dollars of the last run, None where the model has no known price.
    cost: float | None = None
    price_source: str = ""


def count_verdicts(rows: Sequence[Row]) -> dict[VerdictWord, int]:
    """How many rows have each verdict, in the order yes, partly, no, unknown; those that none has are left out."""
    counts: dict[VerdictWord, int] = {word: sum(row.verdict == word for row in rows) for word in _ORDER}
    return {word: count for word, count in counts.items() if count}


def format_counts(rows: Sequence[Row]) -> str:
    """`31 yes, 2 partly, 1 no`."""
    return ", ".join(f"{count} {word}" for word, count in count_verdicts(rows).items()) or "nothing was probed"
