"""What the screen shows: one immutable picture of the proxies and the history, and what can be asked of its source.

Panes draw pictures and read nothing themselves, so that no file, lock or socket can hold up the keyboard.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from router.operator_api.accounts import AccountStatus
from router.operator_api.guard import HaltReport
from router.operator_api.status import RunningRequest, Status
from router.store.history.read_requests import Minute, RecordedRequest
from router.store.history.read_usage import UsageSummary, UsageSums

#: What Analytics can show, as `fairlead usage --since` takes it.
WINDOWS = ("60m", "today", "7d", "30d")
#: Requests that are kept, the newest ones.
KEPT = 10_000


class Line(NamedTuple):
    """A line of the screen. It says all in words: the kind only adds colour or weight."""

    text: str
    #: `title`, `head`, `good`, `warn`, `bad`, `dim`; "" for plain text.
    kind: str = ""


class Setting(NamedTuple):
    """A setting, as `fairlead config show` lists it."""

    key: str
    value: str
    source: str


class StoredName(NamedTuple):
    """A backend of the home that no running proxy reports."""

    name: str
    about: str


class Picture(NamedTuple):
    """What was found at one moment."""

    #: Seconds since 1970.
    time: float
    #: Of each proxy of the home, the newest first.
    proxies: Sequence[Status] = ()
    #: When they reported, in seconds since 1970.
    asked: float = 0.0
    #: Seconds for which they have been asked without an answer; 0 while they answer.
    silent_s: float = 0.0
    #: Why there are none, and what to do.
    absent: str = ""
    hint: str = ""
    #: Those that ended, the newest first, at most KEPT.
    requests: Sequence[RecordedRequest] = ()
    #: Why the history cannot be read.
    unreadable: str = ""
    #: The last hour, oldest first.
    minutes: Sequence[Minute] = ()
    today: UsageSums | None = None
    #: The sums of the last hour, and of the window that Analytics shows; None without a history.
    hour: UsageSummary | None = None
    window: str = WINDOWS[0]
    usage: UsageSummary | None = None
    #: How often translation lost something in that window, by what it was.
    losses: Sequence[tuple[str, int]] = ()
    #: The lines of `fairlead status` for this width, where a proxy runs.
    status: Sequence[str] = ()
    #: The lines on budgets and halts, from the history, where none runs.
    budgets: Sequence[str] = ()
    #: The backends that no proxy reports: disabled ones; all, where none runs.
    stored: Sequence[StoredName] = ()
    settings: Sequence[Setting] = ()
    #: Why the settings cannot be read.
    config_problem: str = ""

    @property
    def running(self) -> list[RunningRequest]:
        """The requests that are being answered, the newest first."""
        return sorted((one for proxy in self.proxies for one in proxy.running), key=lambda one: one.age_s)

    @property
    def running_count(self) -> int:
        """How many requests are being answered."""
        return sum(proxy.running_count for proxy in self.proxies)

    @property
    def halts(self) -> list[HaltReport]:
        """The halts in force, each once: all proxies of a home share them."""
        found = {(halt.scope, halt.reason): halt for proxy in self.proxies for halt in proxy.guard.halts}
        return list(found.values())

    @property
    def accounts(self) -> list[tuple[str, AccountStatus]]:
        """The accounts of the newest proxy, each with the name of its backend."""
        return [
            (backend.name, one) for proxy in self.proxies[:1] for backend in proxy.backends for one in backend.accounts
        ]


class Plan(NamedTuple):
    """A change of a setting that was checked and is not saved."""

    key: str
    #: None to take the setting out of the file.
    value: str | None
    #: What would change in config.toml.
    diff: Sequence[Line]
    #: The file as it was then.
    before: str


class Source(Protocol):
    """Where pictures come from. All methods may block, and raise CommandError; one thread calls them."""

    def look(self, width: int) -> Picture:
        """Look at the proxies and the history. width: of the screen, for lines that are laid out by commands."""
        ...

    def choose_window(self, window: str) -> None:
        """Have `usage` of the next pictures be that of one of WINDOWS."""
        ...

    def read_older(self) -> int:
        """Have the next pictures hold older requests too, as far as there are any; how many came."""
        ...

    def explain_request(self, found: RecordedRequest, width: int) -> list[str]:
        """The lines of `fairlead why`."""
        ...

    def resume(self) -> str:
        """End all halts; what came of it in words."""
        ...

    def start_proxy(self) -> str:
        """Start a proxy in the background; what came of it in words."""
        ...

    def open_page(self) -> tuple[list[str], str]:
        """Open the local page in the browser; what came of it, and the address where the user has to open it, else
        ''."""
        ...

    def plan(self, key: str, value: str | None) -> Plan:
        """Check a change of a setting as `fairlead config set` and `unset` do."""
        ...

    def save(self, plan: Plan) -> list[str]:
        """Make the change, unless the file has changed since; what to say of it."""
        ...
