"""What a proxy that does not exist tells its page: always the same, so that pictures of the page can be compared."""

import msgspec

from router.operator_api.guard import GuardStatus, HaltReport
from router.operator_api.page import PageEvent, PageRequests, PageState, PageUsage, Recipe
from router.operator_api.status import RunningRequest
from router.store.history.charts.read_buckets import Amounts, UsageBucket
from router.store.history.read_requests import RecordedAttempt
from router.store.history.read_usage import LimitForecast, UsageRate

from ...cli.tui.pictures import BUDGET, LIMITS, NOW, make_account, make_backend, make_request, make_sums

MODELS = ("claude-opus-5", "gpt-5", "llama-3.3-70b")
RECIPES = [
    Recipe(title="Claude Code", setup="fairlead setup claude", run="fairlead run -- claude"),
    Recipe(title="Zed", setup="fairlead setup zed", run=""),
]
_HOUR = 3600


def make_events():
    """The events that say all but the requests that have ended."""
    running = RunningRequest(
        id="req_running1",
        age_s=41.0,
        model="claude-opus-5",
        client="claude-code",
        tag="",
        backend="anthropic",
        account="work",
        attempts=2,
        tokens=1204,
        waits="",
    )
    return PageEvent(state=make_state()), PageEvent(running=[running], running_count=1)


def make_state():
    """Two backends, one of which does not answer, limits in use, a budget, a halt of one backend, a problem."""
    accounts = [make_account("work", headroom=0.18, limits=LIMITS, running=1), make_account("personal", next=True)]
    parked = make_account("default", "parked", "429, retry-after 12 min", until_s=720.0, headroom=0.0)
    halt = HaltReport(
        scope="openai",
        since=NOW - 60,
        until=NOW + 1740,
        reason="the day's budget of $5.00 is used up ($5.02)",
        request="req_7Q2",
    )
    forecast = LimitForecast(
        account="anthropic/work", window="5h", utilisation=0.82, per_hour=0.2, resets_in_s=9000.0, full_in_s=2820.0
    )
    rate = UsageRate(
        seconds=900.0,
        requests_per_min=4.1,
        tokens_per_min=1000.0,
        cost_usd_per_hour=3.84,
        forecast_cost_usd_24h=92.0,
    )
    return PageState(
        schema=1,
        version="0.1.0",
        url="http://localhost:3456",
        now=NOW,
        health="ok",
        uptime_s=7200.0,
        backends=[make_backend("anthropic", accounts), make_backend("openai", [parked])],
        problems=['config.toml line 14 was not taken over: no backend "groq"'],
        history=None,
        capture=False,
        guard=GuardStatus(state="halted", halts=[halt], budgets=[BUDGET]),
        refused={"host": 2},
        today=make_sums(),
        rate=rate,
        limits=[forecast],
    )


def make_requests():
    """The kinds of requests: one that moved, a plain one, one that failed, one that lost something."""
    attempt = RecordedAttempt(
        at_ms=3, backend="anthropic", account="work", status=429, error="", done="parked", note="", text=""
    )
    failed = {"error": "overloaded_error", "error_text": "Overloaded", "first_byte_ms": None, "tokens_out": None}
    return PageRequests(
        schema=1,
        requests=[
            make_request(1, account="personal", tries=[attempt]),
            make_request(2, client="codex", model="gpt-5", served_model="gpt-5", backend="openai", account="default"),
            make_request(3, status=529, cost_usd=None, **failed),
            make_request(4, losses=["thinking=dropped"], client="aider"),
        ],
        looked=4,
        next="",
    )


def make_usage():
    """A day by hours, of three models."""
    first = NOW // _HOUR * _HOUR - 23 * _HOUR
    steps = [_make_step(first + hour * _HOUR, hour) for hour in range(24) if hour % 9]
    return PageUsage(
        schema=1,
        since=NOW - 24 * _HOUR,
        until=NOW,
        steps=steps,
        total=make_sums(),
        names=[
            make_sums(model, requests=150 - 40 * number, cost_usd=3.0 - number) for number, model in enumerate(MODELS)
        ],
    )


def _make_step(start, hour):
    names = {
        model: Amounts(
            requests=hour % 7 + number,
            tokens=10_000 * (hour % 5 + number),
            cache_read=9000 * (hour % 5 + 1),
            input=10_000 * (hour % 5 + 1),
            cost_usd=(hour % 5 + 1) * (0.1 + 0.02 * number),
        )
        for number, model in enumerate(MODELS)
    }
    whole = Amounts(errors=hour % 3)
    for one in names.values():
        whole.requests += one.requests
        whole.tokens += one.tokens
        whole.cache_read += one.cache_read
        whole.input += one.input
        whole.cost_usd += one.cost_usd
    return UsageBucket(
        start=start, total=whole, first_byte_p50=300.0 + 20 * hour, first_byte_p95=900.0 + 50 * (hour % 6), names=names
    )


def encode_stream():
    """The events as the page gets them."""
    names = ("state", "running")
    return "".join(
        f"event: {name}\ndata: {msgspec.json.encode(event).decode()}\n\n"
        for name, event in zip(names, make_events(), strict=True)
    )
