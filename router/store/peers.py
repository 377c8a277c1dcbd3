"""What the proxies of a team know of each other: their server, and the settings on which they must agree."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from router.policy.budget.budgets import Allowance


class SharedServer(NamedTuple):
    """The server of a team, as one process finds it."""

    #: Without user and password.
    address: str
    team: str
    #: Why it cannot be used, None while it answers.
    problem: str | None
    #: Since when calls have failed, None while they do not: seconds since 1970.
    failing_since: float | None
    #: Calls that failed since the start.
    failed_calls: int
    #: How often it was found without what it had confirmed, and was filled again.
    losses: int
    #: Processes that hold shares of budgets, 0 before the first round.
    processes: int
    #: It has lost data, and shares are not handed out before all that hold one have come.
    settling: bool
    #: What the process may use of budgets while it cannot be used.
    allowance: Allowance
    #: When it answered last, None where it never has: seconds since 1970.
    answered: float | None = None
    #: When the last exchange about budgets was answered, None before the first.
    last_round: float | None = None
    #: Until when the shares that are held may be used, None where none is held.
    shares_until: float | None = None


class TeamNews(NamedTuple):
    """What other homes of a team have told of their settings."""

    #: Lines for the user on those that were changed.
    changes: Sequence[str]
    #: By the name of each home's machine, its values by the names of the settings.
    others: Mapping[str, Mapping[str, str]]


class SharedSettings(Protocol):
    """The settings on which the homes of a team must agree. Its methods never wait."""

    def tell(self, values: Mapping[str, str]) -> None:
        """Tell the others those of this home."""
        ...

    def step(self) -> TeamNews | None:
        """What is new of the others; None where nothing is."""
        ...


class NoSharedSettings:
    """The settings of a home that shares nothing."""

    def tell(self, values: Mapping[str, str]) -> None:
        """Nothing is told."""

    def step(self) -> TeamNews | None:
        """Nothing is new."""
        return None
