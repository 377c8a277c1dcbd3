"""What a proxy tells of itself: whether it lives, whether it can serve, and everything in /status."""

import msgspec

from router.operator_api.accounts import AccountStatus
from router.operator_api.guard import GuardStatus


class Greeting(msgspec.Struct, kw_only=True):
    """What answers here."""

    #: `fairlead`.
    name: str
    #: `ok`.
    status: str


class Liveness(msgspec.Struct, kw_only=True):
    """The process answers."""

    #: `ok`.
    status: str


class Readiness(msgspec.Struct, kw_only=True):
    """Whether a request could be served now."""

    #: `ok`; `stalled` while requests have waited for long and none was answered; `halted` while the guard lets nothing
    #: through; `nothing can serve`, with status 503, while no backend can.
    status: str


class Stopping(msgspec.Struct, kw_only=True):
    """The proxy ends; answers under way get their time."""

    #: `stopping`.
    status: str


class Reloaded(msgspec.Struct, kw_only=True):
    """The configuration was read anew."""

    #: Names of the enabled backends.
    backends: list[str]
    #: What the user should know, each with its fix.
    problems: list[str]


class QueueLimit(msgspec.Struct, kw_only=True):
    """A limit a minute that the user set."""

    #: Of the last minute.
    used: int
    #: How much there may be.
    limit: int


class Queue(msgspec.Struct, kw_only=True):
    """The line of requests before a backend."""

    #: Requests that are with the backend.
    running: int
    #: Requests that wait.
    waiting: int
    #: How many may run.
    limit: int
    #: How many may wait.
    most: int
    #: Seconds for which no request was let go although some wait, null when none waits.
    stalled_s: float | None
    #: By name (`rpm`, `tpm`), the limits a minute that the user set.
    limits: dict[str, QueueLimit]


class BackendStatus(msgspec.Struct, kw_only=True):
    """A backend as it serves."""

    #: Its name, as in `NAME:MODEL`.
    name: str
    #: Of `messages`, `chat` and `responses`, those it speaks.
    protocols: list[str]
    #: It takes requests.
    enabled: bool
    #: How many models it lists.
    models: int
    #: Why it cannot serve now, or null.
    problem: str | None
    #: How its accounts are.
    accounts: list[AccountStatus]
    #: The line before it.
    queue: Queue


class ModelStatus(msgspec.Struct, kw_only=True):
    """A model that can be reached."""

    #: The name to ask for.
    id: str
    #: The backend it is asked from.
    backend: str
    #: The protocols of that backend.
    protocols: list[str]


class ConnectionCounts(msgspec.Struct, kw_only=True):
    """ConnectionCounts to backends."""

    #: All of them.
    open: int
    #: Those without a request.
    idle: int


class HistoryStatus(msgspec.Struct, kw_only=True):
    """How the history is kept."""

    #: Why nothing is kept on disk, or null.
    problem: str | None
    #: Rows that were lost since the start.
    dropped: int
    #: The file.
    path: str
    #: Why it does not lie in the home, or null.
    elsewhere: str | None


class CaptureStatus(msgspec.Struct, kw_only=True):
    """How bodies are captured."""

    #: They are.
    on: bool
    #: Where they lie.
    folder: str
    #: Requests that were not captured since the start.
    dropped: int
    #: Why not, or null.
    problem: str | None


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """Something of which there may be only so much."""

    #: How much is in use, null where the system does not tell.
    used: int | None
    #: How much there may be, null for no bound.
    limit: int | None


class Vitals(msgspec.Struct, kw_only=True):
    """How the process is doing."""

    #: For how long requests have waited and none was answered, null while that is no long time.
    stalled_s: float | None
    #: Requests whose answer has not begun.
    waiting: int
    #: How late the event loop came at last.
    loop_lag_ms: float
    #: The same, at most within the last minute.
    worst_loop_lag_ms: float
    #: How often the machine slept, or its time was changed, since the start.
    clock_jumps: int
    #: How often the machine's addresses changed since the start.
    network_changes: int
    #: By name; names of what is not counted in pieces say their unit.
    bounds: dict[str, Bound]


class Status(msgspec.Struct, kw_only=True):
    """Everything a proxy tells of itself."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: Of the program.
    version: str
    #: The process.
    pid: int
    #: Where it serves, for clients on this machine.
    url: str
    #: Seconds since its start.
    uptime_s: float
    #: All code is in memory: the installation may be replaced.
    loaded: bool
    #: The enabled backends.
    backends: list[BackendStatus]
    #: The models that can be reached.
    models: list[ModelStatus]
    #: What the user should know, each with its fix.
    problems: list[str]
    #: ConnectionCounts to backends.
    upstream_connections: ConnectionCounts
    #: Bytes held for requests under way.
    buffered_bytes: int
    #: Lines of the access log that could not be written since the start.
    dropped_log_lines: int
    #: How the history is kept.
    history: HistoryStatus
    #: How bodies are captured.
    capture: CaptureStatus
    #: The state of the guard.
    guard: GuardStatus
    #: How the process is doing.
    vitals: Vitals
