"""Pictures of proxies that do not exist, a source that shows them, and the frame of a screen as text."""

import asyncio
import contextlib
import os
import time

from router.cli.inspect.status import format_status
from router.cli.inspect.status_lines import Screen
from router.cli.tui.app import FairleadApp
from router.cli.tui.picture import Line, Picture, Plan, Setting, StoredName
from router.operator_api.accounts import AccountLimit, AccountStatus
from router.operator_api.guard import BudgetReport, GuardStatus, HaltReport
from router.operator_api.status import (
    BackendStatus,
    CaptureStatus,
    ConnectionCounts,
    HistoryStatus,
    ModelStatus,
    Queue,
    RunningRequest,
    Status,
    Vitals,
)
from router.store.history.read_requests import RECORDED, Minute, RecordedAttempt
from router.store.history.read_usage import LimitForecast, UsageRate, UsageSummary, UsageSums
from router.store.home.home import open_home

from ...patience import PATIENCE

#: 2026-11-28 18:42:07 in UTC.
NOW = 1_795_891_327.0


def make_account(alias, state="ready", reason="ready", **changes):
    """An account, ready and unused unless said otherwise."""
    known = {"until_s": None, "headroom": 1.0, "limits": [], "running": 0, "next": False, **changes}
    return AccountStatus(alias=alias, state=state, reason=reason, **known)


def make_backend(name, accounts, **changes):
    """A backend that is up."""
    queue = Queue(running=1, waiting=0, limit=1000, most=1000, stalled_s=None, limits={})
    known = {"enabled": True, "models": 3, "problem": None, "queue": queue, **changes}
    return BackendStatus(name=name, protocols=["messages"], accounts=accounts, **known)


def make_status(**changes):
    """What a proxy reports that serves and has nothing to do."""
    known = {
        "backends": [
            make_backend("anthropic", [make_account("work", next=True), make_account("personal")]),
            make_backend("openai", [make_account("default")]),
        ],
        "models": [ModelStatus(id="claude-opus-5", backend="anthropic", protocols=["messages"])],
        "guard": GuardStatus(state="off"),
        "problems": [],
        **changes,
    }
    return Status(
        schema=1,
        version="0.1.0",
        pid=3311,
        url="http://localhost:3456",
        uptime_s=7200.0,
        loaded=True,
        upstream_connections=ConnectionCounts(open=0, idle=0),
        buffered_bytes=0,
        dropped_log_lines=0,
        history=HistoryStatus(problem=None, dropped=0, path="history.db", elsewhere=None),
        capture=CaptureStatus(on=False, folder="captures", dropped=0, problem=None),
        vitals=Vitals(
            stalled_s=None,
            waiting=0,
            loop_lag_ms=0.1,
            worst_loop_lag_ms=1.0,
            clock_jumps=0,
            network_changes=0,
            bounds={},
        ),
        **known,
    )


def make_request(number, **changes):
    """A request that ended."""
    empty = dict.fromkeys(RECORDED.__struct_fields__)
    known = {
        **empty,
        "id": f"req_{number:020x}",
        "time": NOW - 2 * number,
        "client": "claude-code",
        "protocol": "messages",
        "method": "POST",
        "path": "/v1/messages",
        "model": "claude-opus-5",
        "served_model": "claude-opus-5",
        "backend": "anthropic",
        "account": "work",
        "status": 200,
        "error": "",
        "attempts": 1,
        "queue_ms": 0,
        "first_byte_ms": 812.0,
        "total_ms": 3100.0,
        "tokens_in": 200,
        "tokens_out": 900,
        "cache_read": 2200,
        "cost_usd": 0.0421,
        "price": "2026-11-01",
        "losses": [],
        "stream": True,
        "billing": "",
        "tag": "",
        "estimated": False,
        "notes": [],
        "tries": [],
        **changes,
    }
    return RECORDED(**known)


def make_sums(name="", **changes):
    """Sums of requests."""
    known = {
        "requests": 247,
        "errors": 1,
        "estimated": 0,
        "unpriced": 0,
        "tokens_in": 142_000,
        "tokens_out": 38_000,
        "cache_read": 1_300_000,
        "cache_write": 20_000,
        "reasoning": 0,
        "cost_usd": 3.84,
        "cached_share": 0.91,
        "share": 1.0,
        "first_byte_ms": {"p50": 900.0, "p95": 2400.0},
        "total_ms": {"p50": 3000.0, "p95": 9000.0},
        **changes,
    }
    return UsageSums(name=name, **known)


def make_usage():
    """Sums of an hour."""
    lost = make_sums("tools", requests=2, cache_lost=92_000, cache_lost_usd=0.41)
    return UsageSummary(
        since=NOW - 3600,
        until=NOW,
        total=make_sums(),
        models=[make_sums("claude-opus-5", requests=148, cost_usd=3.41), make_sums("gpt-5-mini", requests=99)],
        backends=[make_sums("anthropic", cost_usd=3.41)],
        accounts=[make_sums("anthropic/work")],
        clients=[make_sums("claude-code")],
        tags=[],
        keys=[],
        billing_classes=[],
        errors=[],
        cache_losses=[lost],
        rate=UsageRate(
            seconds=900.0,
            requests_per_min=4.1,
            tokens_per_min=1000.0,
            cost_usd_per_hour=3.84,
            forecast_cost_usd_24h=92.0,
        ),
        limits=[
            LimitForecast(
                account="anthropic/work",
                window="5h",
                utilisation=0.82,
                per_hour=0.2,
                resets_in_s=9000.0,
                full_in_s=2820.0,
            )
        ],
        prices=["2026-11-01"],
    )


def make_minutes():
    """The requests of an hour that grew busier."""
    return tuple(
        Minute(time=int(NOW) - 60 * (60 - one), requests=one % 9, errors=0, cost_usd=one / 100, tokens_out=one * 10)
        for one in range(61)
    )


def picture_of(home, status, width, **changes):
    """A picture of one proxy."""
    screen = Screen(disabled=[], today=changes.get("today"), loaded=None, home=home, several=False)
    lines = tuple(format_status([status], screen, width)) if status else ()
    settings = (
        Setting("port", "3456", "default"),
        Setting("timeouts.idle", "120s", "config.toml, line 2"),
        Setting("api_key", "set", "config.toml, line 1"),
    )
    known = {"proxies": (status,) if status else (), "asked": NOW, "status": lines, "settings": settings, **changes}
    return Picture(NOW, **known)


LIMITS = [AccountLimit(name="5h", used=0.82, resets_s=3480.0), AccountLimit(name="7d", used=0.09, resets_s=400_000.0)]
BUDGET = BudgetReport(scope="all", period="day", unit="usd", limit=10.0, spent=3.84, reserved=0.12, renews=NOW + 19_073)


def make_busy(home, width):
    """Requests run and have ended; limits are in use, and a budget."""
    running = [
        RunningRequest(
            id="req_running2",
            age_s=41.0,
            model="claude-opus-5",
            client="claude-code",
            tag="",
            backend="anthropic",
            account="work",
            attempts=2,
            tokens=1204,
            waits="",
        ),
        RunningRequest(
            id="req_running1",
            age_s=3.2,
            model="gpt-5",
            client="codex",
            tag="",
            backend="",
            account="",
            attempts=0,
            tokens=None,
            waits="a turn at openai",
        ),
    ]
    accounts = [make_account("work", headroom=0.18, limits=LIMITS, running=1), make_account("personal", next=True)]
    status = make_status(
        backends=[make_backend("anthropic", accounts), make_backend("openai", [make_account("default")])],
        running=running,
        running_count=2,
        guard=GuardStatus(state="running", budgets=[BUDGET]),
    )
    attempt = RecordedAttempt(
        at_ms=3, backend="anthropic", account="work", status=429, error="", done="parked", note="", text=""
    )
    failed = {"error": "overloaded_error", "error_text": "Overloaded", "first_byte_ms": None, "tokens_out": None}
    requests = [
        make_request(1, account="personal", tries=[attempt]),
        make_request(2, client="codex", model="gpt-5", served_model="gpt-5", backend="openai", account="default"),
        make_request(3, status=529, **failed),
        make_request(4, losses=["thinking=dropped"], client="aider"),
    ]
    return picture_of(
        home,
        status,
        width,
        requests=tuple(requests),
        minutes=make_minutes(),
        today=make_sums(),
        hour=make_usage(),
        usage=make_usage(),
        losses=(("thinking", 3), ("cache_control", 1)),
        stored=(StoredName("groq", "https://api.groq.com/openai   disabled"),),
    )


def make_halted(home, width):
    """The guard refuses everything."""
    halt = HaltReport(
        scope="all",
        since=NOW - 60,
        until=NOW + 1740,
        reason="the day's budget of $10.00 is used up ($10.04)",
        request="req_7Q2",
    )
    budget = BudgetReport(
        scope="all", period="day", unit="usd", limit=10.0, spent=10.04, reserved=0.0, renews=NOW + 19_073
    )
    guard = GuardStatus(state="halted", scope="all", reason=halt.reason, halts=[halt], budgets=[budget])
    return picture_of(home, make_status(guard=guard), width, today=make_sums(cost_usd=10.04))


def make_parked(home, width):
    """No account of the only backend is ready."""
    parked = make_account("work", "parked", "429, retry-after 12 min", until_s=720.0, headroom=0.0, limits=[LIMITS[0]])
    cooling = make_account("personal", "cooling", "401 key refused", until_s=60.0)
    return picture_of(home, make_status(backends=[make_backend("anthropic", [parked, cooling])]), width)


def make_empty(home, width):
    """A proxy without anything to say."""
    return picture_of(home, make_status(), width)


def make_offline(home, width):
    """No proxy runs; the history can be read."""
    return picture_of(
        home,
        None,
        width,
        absent="no fairlead proxy is running.",
        hint="Start it:   fairlead proxy",
        requests=(make_request(1),),
        stored=(StoredName("anthropic", "https://api.anthropic.com"),),
    )


STATES = {
    "empty": make_empty,
    "busy": make_busy,
    "halted": make_halted,
    "parked": make_parked,
    "offline": make_offline,
}


class FakeSource:
    """Shows what it was given, and keeps what was asked of it."""

    def __init__(self, picture):
        self.picture = picture
        self.asked = []
        #: What comes of opening the page.
        self.opened = (["The page opens in your browser."], "")

    def look(self, width):
        return self.picture

    def choose_window(self, window):
        self.asked.append(("window", window))
        self.picture = self.picture._replace(window=window)

    def read_older(self):
        self.asked.append(("older",))
        return 0

    def explain_request(self, found, width):
        self.asked.append(("why", found.id))
        return [f"{found.id} was asked about"]

    def resume(self):
        self.asked.append(("resume",))
        return "Traffic continues."

    def start_proxy(self):
        self.asked.append(("start",))
        return "fairlead 0.1.0   http://localhost:3456"

    def open_page(self):
        self.asked.append(("page",))
        return self.opened

    def plan(self, key, value):
        self.asked.append(("plan", key, value))
        diff = [Line(f'- {key} = "120s"', "bad"), Line(f'+ {key} = "{value}"', "good")]
        return Plan(key, value, diff, "")

    def save(self, plan):
        self.asked.append(("save", plan.key, plan.value))
        return [f"Saved {plan.key}."]


class Screenful:
    """An app that runs, and what it shows."""

    def __init__(self, app, pilot, source):
        self.app, self.pilot, self.source = app, pilot, source

    async def press(self, *keys):
        """Press keys, and wait until they were dealt with."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def show(self, picture):
        """Have the app take another picture."""
        self.source.picture = picture
        await self.until(lambda: self.app.picture is picture)
        await self.pilot.pause()

    async def until(self, true):
        """Wait for what must come."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, self.frame()
            await self.pilot.pause(0.01)

    async def until_shown(self, text):
        """Wait until the screen shows a text."""
        await self.until(lambda: text in self.frame())

    def frame(self):
        """The screen as text, without spaces at the ends of lines."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def drive(test, picture, size=(80, 24), **environ):
    """Run a test of the app: an async function that is called with a Screenful."""

    async def run():
        source = FakeSource(picture)
        app = FairleadApp(lambda: source, look_seconds=0.01)
        async with app.run_test(size=size) as pilot:
            screen = Screenful(app, pilot, source)
            await screen.until(lambda: app.picture is not None)
            await pilot.pause()
            await test(screen)

    with _environment(TZ="UTC", TEXTUAL_ANIMATIONS="none", **environ):
        asyncio.run(run())


@contextlib.contextmanager
def _environment(**environ):
    before = dict(os.environ)
    os.environ.pop("NO_COLOR", None)
    os.environ.update(environ)
    time.tzset()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        time.tzset()


def make_home(folder):
    """A home without anything."""
    return open_home({"FAIRLEAD_HOME": str(folder / "home")})
