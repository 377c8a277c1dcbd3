"""What the local page is told: a code and a token that open it, what the proxy does now, requests, and sums over time.

Other endpoints tell an operator all of it too. There is no path of the machine, no key, and no text of a request in it.
"""

import msgspec

from router.operator_api.guard import GuardStatus
from router.operator_api.status import BackendStatus, RunningRequest
from router.store.history.charts.read_buckets import UsageBucket
from router.store.history.read_requests import RecordedRequest
from router.store.history.read_usage import LimitForecast, UsageRate, UsageSums


class PageCode(msgspec.Struct, kw_only=True):
    """A code that opens the page once."""

    #: The code; the page is opened at `/ui/#CODE`.
    code: str
    #: Seconds until it ends.
    expires_s: float


class Recipe(msgspec.Struct, kw_only=True):
    """How a tool is pointed at the proxy."""

    #: The name of the tool.
    title: str
    #: The command that changes the tool's own configuration.
    setup: str
    #: The command that starts the tool without such a change; empty where it has none.
    run: str


class PageSession(msgspec.Struct, kw_only=True):
    """The access of one tab."""

    #: A bearer token for /ui/api/, in the memory of this process alone.
    token: str
    #: Seconds without a request after which it ends, and seconds after which it ends in any case.
    idle_s: float
    #: As above.
    total_s: float
    #: The tools.
    recipes: list[Recipe]
    #: What a filter may name.
    fields: list[str]


class PageState(msgspec.Struct, kw_only=True):
    """What the proxy reports about itself."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: The version of the program.
    version: str
    #: Its URL for clients on this machine.
    url: str
    #: Seconds since 1970, by the clock of the proxy.
    now: float
    #: As in Readiness.
    health: str
    #: Seconds since it started.
    uptime_s: float
    #: The enabled backends.
    backends: list[BackendStatus]
    #: Problems that the user should know, each with its fix.
    problems: list[str]
    #: Why the history cannot be written, or null.
    history: str | None
    #: Bodies of requests are captured.
    capture: bool
    #: The state of the guard.
    guard: GuardStatus
    #: As in Status.
    refused: dict[str, int]
    #: Sums of the requests since midnight.
    today: UsageSums
    #: The rates of the last minutes.
    rate: UsageRate
    #: The limits of accounts, and when they will be used up.
    limits: list[LimitForecast]


class PageRequests(msgspec.Struct, kw_only=True):
    """Requests that a filter fits, the newest first."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: At most 200.
    requests: list[RecordedRequest]
    #: How many were looked at.
    looked: int
    #: The id to give as `before` for older ones; empty when there are none.
    next: str


class Fact(msgspec.Struct, kw_only=True):
    """A line of what `fairlead why` says."""

    #: What it is about; empty for the first line.
    label: str
    #: What it says.
    text: str


class PageRequest(msgspec.Struct, kw_only=True):
    """One request."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: The request.
    request: RecordedRequest
    #: What `fairlead why` says of it.
    why: list[Fact]


class PageUsage(msgspec.Struct, kw_only=True):
    """Sums of a window of the history."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: Where the window begins and ends, in seconds since 1970.
    since: float
    #: As above.
    until: float
    #: The hours or days that have requests, oldest first.
    steps: list[UsageBucket]
    #: The whole window.
    total: UsageSums
    #: By name, most requests first.
    names: list[UsageSums]


class PageEvent(msgspec.Struct, kw_only=True):
    """The data of an event; which of its parts is there, the name of the event says."""

    #: With `state`.
    state: PageState | None = None
    #: With `running`: the requests that are being answered, the oldest first; at most 100.
    running: list[RunningRequest] | None = None
    #: How many are being answered.
    running_count: int | None = None
    #: With `ended`: those that have ended since the event before, oldest first.
    ended: list[RecordedRequest] | None = None
    #: With `ended`: there were more than are told; what is shown is to be read again.
    more: bool = False
