"""What a proxy reports about itself: whether it is alive, whether it can serve, and everything in /status."""

from typing import Literal

import msgspec

from router.operator_api.accounts import AccountStatus
from router.operator_api.guard import GuardStatus


class Greeting(msgspec.Struct, kw_only=True):
    """The answer at the root: fairlead runs here."""

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

    #: `ok`; `stalled` while requests have waited for long and none was answered; `halted` while the guard refuses every
    #: request; `nothing can serve`, with status 503, while no backend can.
    status: str


class Acceptance(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Whether a load balancer should send requests here."""

    #: `ready`; with status 503 `starting` until the models of the backends are known, and `draining` once it was told
    #: to stop. A halt changes nothing: its answers say why.
    status: Literal["ready", "starting", "draining"]
    #: Whether the server of the team can be used; requests without a budget go on without it. Left out without a team.
    shared: Literal["connected", "lost"] | None = None
    #: Since when it is lost, in seconds since 1970; left out while it is not.
    shared_since: float | None = None
    #: What the proxy may use of budgets while it is lost: `all`, the `share` that it holds, or `nothing`. As above.
    budgets: Literal["all", "share", "nothing"] | None = None
    #: Whether the collector took what was sent last; left out where none is named.
    telemetry: Literal["sent", "failing"] | None = None


class Stopping(msgspec.Struct, kw_only=True):
    """The proxy stops; it gives running answers time to end."""

    #: `stopping`.
    status: str
    #: Seconds until what is still open then gets its error event: drain.delay and drain.time.
    within: float


class Restarted(msgspec.Struct, kw_only=True):
    """Another process serves; this one ends with its open answers."""

    #: `restarted`.
    status: str
    #: The id of the new process.
    pid: int
    #: The version of its program.
    version: str


class Refusal(msgspec.Struct, kw_only=True):
    """Why a proxy did not take a configuration."""

    #: What is wrong, and where.
    message: str
    #: What to do, which may name a command; empty when nothing is known.
    fix: str


class Reloaded(msgspec.Struct, kw_only=True):
    """The configuration was read again."""

    #: Names of the enabled backends.
    backends: list[str]
    #: Problems that the user should know, each with its fix.
    problems: list[str]
    #: Why the proxy keeps its previous configuration; null when it uses the one that was read.
    refused: Refusal | None = None


class QueueLimit(msgspec.Struct, kw_only=True):
    """A limit per minute that the user set."""

    #: How much was used in the last minute.
    used: int
    #: How much may be used.
    limit: int


class Queue(msgspec.Struct, kw_only=True):
    """The queue of requests for a backend."""

    #: Requests that the backend is serving.
    running: int
    #: Requests that wait.
    waiting: int
    #: How many may run.
    limit: int
    #: How many may wait.
    most: int
    #: Seconds since a request last left the queue, while some wait; null when none waits.
    stalled_s: float | None
    #: By name (`rpm`, `tpm`), the limits per minute that the user set.
    limits: dict[str, QueueLimit]


class BackendStatus(msgspec.Struct, kw_only=True):
    """The state of a backend."""

    #: Its name, as in `NAME:MODEL`.
    name: str
    #: Of `messages`, `chat` and `responses`, those it speaks.
    protocols: list[str]
    #: It takes requests.
    enabled: bool
    #: How many models it lists.
    models: int
    #: Its list of models is being read for the first time.
    loading: bool = False
    #: Why it cannot serve now, or null.
    problem: str | None
    #: The state of its accounts.
    accounts: list[AccountStatus]
    #: Its queue.
    queue: Queue


class ModelStatus(msgspec.Struct, kw_only=True):
    """A model that can be reached."""

    #: The name to request.
    id: str
    #: The backend that serves it.
    backend: str
    #: The protocols of that backend.
    protocols: list[str]


class ConnectionCounts(msgspec.Struct, kw_only=True):
    """Connections to backends."""

    #: All connections.
    open: int
    #: Connections without a request.
    idle: int


class HistoryStatus(msgspec.Struct, kw_only=True):
    """The state of the history."""

    #: Why it cannot be written to disk, or null.
    problem: str | None
    #: Rows that were lost since the start.
    dropped: int
    #: Path of the file.
    path: str
    #: Why the file is not in the home, or null.
    elsewhere: str | None


class SharedStatus(msgspec.Struct, kw_only=True):
    """The server that the proxies of a team share, as this one finds it."""

    #: Host and port, or the path of a socket.
    server: str
    #: The name of the team.
    team: str
    #: Why it cannot be used, or null.
    problem: str | None
    #: Since when calls have failed, in seconds since 1970; null while they do not.
    failing_since: float | None
    #: Calls that failed since the start.
    failed_calls: int
    #: How often it had lost what it was told, and was told again.
    losses: int
    #: Proxies that hold shares of budgets, this one included.
    processes: int
    #: It has lost data: shares of budgets are not handed out before all that hold one have come.
    settling: bool
    #: What this proxy may use of budgets while the server cannot be used: `all`, the `share` that it holds, or
    #: `nothing`, as that has lapsed.
    allowance: str
    #: When it answered last, in seconds since 1970; null where it never has.
    answered: float | None = None
    #: When the last exchange about budgets was answered, in seconds since 1970; null before the first. There is one
    #: every 0.4 seconds while requests run under a budget, and none else.
    last_round: float | None = None
    #: Until when the shares of budgets that this proxy holds may be used, in seconds since 1970; null where it holds
    #: none. How much that is, is said with each budget.
    shares_until: float | None = None


class TelemetryStatus(msgspec.Struct, kw_only=True):
    """The export of spans and metrics."""

    #: Host and port of the collector.
    collector: str
    #: Why what was sent last was not taken, or null.
    problem: str | None
    #: The last failure since the start; empty for none.
    last_failure: str
    #: When that was, in seconds since 1970; null for none.
    failed_at: float | None
    #: Spans that the collector took since the start.
    exported: int
    #: Spans that were lost since the start.
    dropped: int
    #: Spans that wait.
    waiting: int


class CaptureStatus(msgspec.Struct, kw_only=True):
    """The state of capturing bodies."""

    #: Bodies are captured.
    on: bool
    #: The folder they are written to.
    folder: str
    #: Requests that were not captured since the start.
    dropped: int
    #: Why they cannot be captured, or null.
    problem: str | None


class AnswerCacheStatus(msgspec.Struct, kw_only=True):
    """The state of the cache of answers."""

    #: A rule or a model has its answers kept.
    on: bool
    #: Path of the file, which may not exist yet.
    path: str
    #: Why no answer is kept or given again, or null.
    problem: str | None


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The use of something that may be bounded."""

    #: How much is in use, null where the system does not report it.
    used: int | None
    #: The bound, null for none.
    limit: int | None


class Vitals(msgspec.Struct, kw_only=True):
    """The health of the process."""

    #: Seconds for which requests have waited and none was answered, null while that is not long.
    stalled_s: float | None
    #: Requests whose answer has not begun.
    waiting: int
    #: The last delay of the event loop.
    loop_lag_ms: float
    #: Its longest delay within the last minute.
    worst_loop_lag_ms: float
    #: How often the machine slept, or its clock was changed, since the start.
    clock_jumps: int
    #: How often the machine's addresses changed since the start.
    network_changes: int
    #: By name; the name includes the unit of everything that is not counted in pieces.
    bounds: dict[str, Bound]


class ProcessStatus(msgspec.Struct, kw_only=True):
    """How the process was started."""

    #: `foreground`; `detached` for one in the background; `tied` for one that serves one `fairlead run`; `user unit` or
    #: `system unit` for one that systemd runs, `launch agent` for launchd, `task` for the Task Scheduler.
    mode: str = "foreground"
    #: The name of that unit, agent or task; empty for none.
    unit: str = ""
    #: Path of the file with what it would print at a terminal; null where that goes elsewhere.
    log: str | None = None


class RunningRequest(msgspec.Struct, kw_only=True):
    """A request that is being answered."""

    #: Its id, as its answer and the history have it.
    id: str
    #: Seconds since it arrived.
    age_s: float
    #: The model that was asked for; empty where none is, or the body is still being read.
    model: str
    #: The kind of client, by its headers; empty when it is not known.
    client: str
    #: The tag of the request; empty for none.
    tag: str
    #: The backend and the account that are asked; empty before they are chosen.
    backend: str
    #: As above.
    account: str
    #: How many attempts were made so far.
    attempts: int
    #: Pieces of a stream that came so far, each about one token; null for an answer that is no stream.
    tokens: int | None
    #: What it waits for, in words; empty while its answer is being sent.
    waits: str


class Status(msgspec.Struct, kw_only=True):
    """Everything a proxy reports about itself."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: The version of the program.
    version: str
    #: The id of the process.
    pid: int
    #: Its URL for clients on this machine.
    url: str
    #: Seconds since it started.
    uptime_s: float
    #: All code is loaded, so the installation may be replaced.
    loaded: bool
    #: The enabled backends.
    backends: list[BackendStatus]
    #: The models that can be reached.
    models: list[ModelStatus]
    #: Problems that the user should know, each with its fix.
    problems: list[str]
    #: Connections to backends.
    upstream_connections: ConnectionCounts
    #: Bytes buffered for running requests.
    buffered_bytes: int
    #: Lines of the access log that could not be written since the start.
    dropped_log_lines: int
    #: The state of the history.
    history: HistoryStatus
    #: The state of capturing bodies.
    capture: CaptureStatus
    #: The state of the guard.
    guard: GuardStatus
    #: The health of the process.
    vitals: Vitals
    #: The requests that are being answered, the oldest first; at most 100.
    running: list[RunningRequest] = []
    #: How many requests are being answered.
    running_count: int = 0
    #: How many requests were refused since the start before they were looked at, by reason: `cross-site`, `host`,
    #: `no key`, `wrong key`, `method`, `malformed`, `unknown path`. At most 10 of a kind in a minute are recorded.
    refused: dict[str, int] = {}
    #: The state of the cache of answers; null from an older proxy.
    answer_cache: AnswerCacheStatus | None = None
    #: The server of the team; null without one.
    shared: SharedStatus | None = None
    #: The export to a collector; null where it is off.
    telemetry: TelemetryStatus | None = None
    #: How the process was started.
    process: ProcessStatus = msgspec.field(default_factory=ProcessStatus)
