"""What the running proxy is asked: its state, its models, where a request would go, the limits of its accounts."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio
from msgspec import UNSET

from router import __version__
from router.cli.common.running_proxy import find_proxies
from router.cli.mcp.moments import format_moment
from router.cli.mcp.sample import build_sample
from router.errors import CommandError
from router.host.event_loop import run_async
from router.mcp import answers, inputs
from router.mcp.answers import quote, take
from router.net.control.request import ControlError, clean
from router.operator_api.accounts import AccountList, ListedAccount
from router.operator_api.client import RunningProxy
from router.operator_api.explain import Explanation, Question
from router.operator_api.models import MODELS_LIMIT, ModelReport
from router.operator_api.status import Status
from router.store.config import backends, toml
from router.store.history import read_usage, reader
from router.store.history.read_usage import UsageSummary
from router.store.history.time_window import parse_since
from router.store.home import run_files
from router.store.home.home import Home

#: For all that one tool asks the proxy; a dry run may wait for model lists, and look through a long request.
SECONDS, EXPLAIN_SECONDS = 5.0, 15.0
_START = "fairlead proxy --detach"

_Found = TypeVar("_Found")


class NoProxy(CommandError):
    """No proxy of this home runs."""


def ask_proxy(home: Home, ask: Callable[[RunningProxy], Awaitable[_Found]], seconds: float = SECONDS) -> _Found:
    """What the newest proxy of the home answers. Raises CommandError, NoProxy where none runs."""
    if not run_files.live(home):
        raise NoProxy("no fairlead proxy is running.", f"The user can start it: {_START}")
    return run_async(_ask, home, ask, seconds)


async def _ask(home: Home, ask: Callable[[RunningProxy], Awaitable[_Found]], seconds: float) -> _Found:
    with trio.move_on_after(seconds):
        found, older = await find_proxies(home)
        if not found:
            what = "the running proxy is of an older fairlead" if older else "the running proxy does not answer"
            raise CommandError(f"{what}.", f"The user can restart it: fairlead stop, then {_START}")
        try:
            return await ask(found[0][1])
        except ControlError as error:
            raise CommandError(f"the proxy did not answer as expected: {clean(str(error), 300)}.") from None
    raise CommandError(f"the proxy did not answer within {seconds:g} s.", "The user can look: fairlead status")


def report_status(home: Home, _: inputs.Nothing) -> answers.Status:
    """The state of the proxy, and what today's requests cost."""
    today = _sum_today(home)
    rate = None if today is None else today.rate.requests_per_min
    cost = None if today is None else today.total.cost_usd
    try:
        found = ask_proxy(home, lambda proxy: proxy.fetch_status())
    except NoProxy:
        return answers.Status(
            proxy_runs=False,
            serving="not running",
            version=__version__,
            backends=_read_backends(home),
            requests_per_min=rate,
            cost_today_usd=cost,
            user_command=_START,
        )
    guard = found.guard
    until = None if guard.until is None else format_moment(guard.until)
    return answers.Status(
        proxy_runs=True,
        serving=_judge(found),
        version=found.version,
        url=found.url,
        uptime_s=round(found.uptime_s),
        running_requests=found.running_count,
        stalled_s=found.vitals.stalled_s,
        guard=take(answers.Guard, guard, until=until),
        backends=[take(answers.Backend, one, problem=quote(one.problem)) for one in found.backends],
        requests_per_min=rate,
        cost_today_usd=cost,
        problems=[answers.Quoted(one) for one in found.problems],
        user_command="fairlead resume" if guard.state == "halted" else "",
    )


def _judge(status: Status) -> str:
    """Whether a request could be served now, as GET /health says it."""
    able = any(one.enabled and one.problem is None for one in status.backends)
    if any(halt.scope == "all" for halt in status.guard.halts):
        return "halted"
    if not able:
        return "nothing can serve"
    return "ok" if status.vitals.stalled_s is None else "stalled"


def _read_backends(home: Home) -> list[answers.Backend]:
    try:
        stored, problems = backends.load(home)
    except CommandError:
        return []
    unread = [
        answers.Backend(name=one.name, protocols=[], enabled=False, problem=quote(one.message)) for one in problems
    ]
    return [*(take(answers.Backend, one, protocols=list(one.protocols), problem=None) for one in stored), *unread]


def _sum_today(home: Home) -> UsageSummary | None:
    """The sums of today; None where the history cannot be read, or nothing was recorded."""
    now = time.time()
    try:
        with reader.open_reader(home) as db:
            return None if db is None else read_usage.summarize(db, parse_since("today", now), now)
    except (CommandError, ValueError):
        return None


def list_models(home: Home, asked: inputs.Models) -> answers.Models:
    """The models of the running proxy."""

    async def ask(proxy: RunningProxy) -> tuple[list[ModelReport], int]:
        listed = (await proxy.fetch_status()).models
        wanted = asked.query.lower()
        names = [
            one.id
            for one in listed
            if wanted in one.id.lower() and (not asked.backend or one.backend == asked.backend.lower())
        ]
        return await proxy.report_models(names[: min(asked.limit, MODELS_LIMIT)]), len(names)

    found, matching = ask_proxy(home, ask)
    aliases = _read_aliases(home)
    return answers.Models(
        models=[_make_model(one, aliases) for one in found], matching=matching, more=max(0, matching - len(found))
    )


def _make_model(report: ModelReport, aliases: Mapping[str, str]) -> answers.Model:
    names = (report.id, f"{report.backend}:{report.model}")
    return take(
        answers.Model,
        report,
        context=_read_number(report, "window"),
        max_output=_read_number(report, "max_output"),
        aliases=[name for name, target in aliases.items() if target in names],
    )


def _read_number(report: ModelReport, name: str) -> int | None:
    fact = report.facts.get(name)
    return fact.value if fact is not None and isinstance(fact.value, int) and not isinstance(fact.value, bool) else None


def _read_aliases(home: Home) -> Mapping[str, str]:
    try:
        return toml.load(home, os.environ).settings.aliases
    except CommandError:
        return {}


def explain(home: Home, asked: inputs.Explain) -> answers.Explanation:
    """Where a request would go, by the running proxy."""
    question = Question(model=asked.model, protocol=None if asked.protocol is UNSET else asked.protocol)
    if asked.tokens is not UNSET or asked.tools or asked.images:
        protocol = question.protocol or "chat"
        tokens = 0 if asked.tokens is UNSET else asked.tokens
        body = build_sample(protocol, asked.model, tokens=tokens, tools=asked.tools, images=asked.images)
        question = Question(body=body, protocol=protocol)
    found = ask_proxy(home, lambda proxy: proxy.explain(question), EXPLAIN_SECONDS)
    return _describe_route(found)


def _describe_route(found: Explanation) -> answers.Explanation:
    return take(
        answers.Explanation,
        found,
        next_account=found.next,
        problem=quote(found.problem),
        refusal=quote(found.error),
        fallback=[answers.Quoted(one) for one in found.fallback],
    )


def list_limits(home: Home, _: inputs.Nothing) -> answers.Limits:
    """The accounts that the running proxy uses."""
    found: AccountList = ask_proxy(home, lambda proxy: proxy.fetch_accounts())
    today = _sum_today(home)
    return answers.Limits(
        accounts=[_make_account(one) for one in found.accounts], forecasts=[] if today is None else today.limits
    )


def _make_account(one: ListedAccount) -> answers.Account:
    problem = one.problem or one.key_problem
    return answers.Account(
        backend=one.backend,
        alias=one.alias,
        state="unusable" if one.state is UNSET else one.state,
        reason=quote(problem or (None if one.reason is UNSET else one.reason)),
        until_s=None if one.until_s is UNSET else one.until_s,
        headroom=None if one.headroom is UNSET else one.headroom,
        limits=[] if one.limits is UNSET else one.limits,
        next=one.next is True,
    )
