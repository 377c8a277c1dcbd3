"""The running proxy: whether it is ours, answers, and keeps up."""

import time

from router import __version__
from router.cli.common.output import format_count
from router.cli.doctor.checks.configuration import split_advice
from router.cli.doctor.row import Row
from router.cli.doctor.situation import FoundProxy, Situation
from router.net.control.calls import post_json
from router.net.control.request import Answer, ControlError
from router.operator_api.status import Status
from router.policy.accounts.retry import format_duration
from router.settings.kinds import NO_KEY, clean
from router.store.home.home import CLIENT_KEY
from router.store.home.run_files import format_unit_restart
from router.watch.amounts import format_seconds

#: Milliseconds of delay of the event loop that cannot come from a short load of the machine.
_LAG_MS = 500.0
#: Seconds in which a proxy loads the rest of its code, which delays its loop.
_STARTING = 90.0
#: Share of a bound from which on it is nearly used up.
_NEAR = 0.9
_RESTART = "Restart it: fairlead stop, then fairlead proxy --detach"


def check_proxy(situation: Situation) -> list[Row]:
    """Which proxies of this home run, and how they are."""
    if situation.home is None or not situation.proxies:
        return [Row("proxy", "info", "none is running; `fairlead proxy` starts it")]
    rows = [row for found in situation.proxies for row in _judge(found, situation)]
    shared = [found for found in situation.proxies if found.run.mode != "tied" and found.state == "proven"]
    if len(shared) > 1:
        ports = ", ".join(f":{found.run.port}" for found in shared)
        fix = f"End one: fairlead stop --port {shared[-1].run.port}"
        rows.append(Row("proxy", "warn", f"several proxies of this home run ({ports})", fix))
    return rows


def _judge(found: FoundProxy, situation: Situation) -> list[Row]:
    run = found.run
    where = f"on :{run.port} (pid {run.pid})"
    if found.state == "silent":
        return [Row("proxy", "fail", f"the proxy {where} does not answer", f"End it: fairlead stop --port {run.port}")]
    if found.state == "older":
        return [Row("proxy", "warn", f"the proxy {where} is of an older fairlead ({run.version})", _restart(found))]
    if found.state == "other":
        text = f"another program answers on :{run.port}, which the proxy with pid {run.pid} should hold"
        return [Row("proxy", "fail", text, found.problem or _restart(found))]
    if found.status is None:
        return [Row("proxy", "fail", f"the proxy {where} could not be asked: {found.problem}", _restart(found))]
    told = {*situation.loaded.warnings, *(one.message for one in situation.unread)}
    return [*_list_troubles(found, found.status), *_list_problems(found.status, told)] or [
        Row(
            "proxy",
            "ok",
            f"{found.status.url}, pid {run.pid}, for {format_duration(found.status.uptime_s)}, "
            f"{found.status.running_count:,} running",
        )
    ]


def _restart(found: FoundProxy) -> str:
    unit = format_unit_restart(found.run)
    if unit:
        return f"Restart it: {unit}"
    return "Restart it: fairlead restart" if found.run.mode == "detached" else _RESTART


def _list_troubles(found: FoundProxy, status: Status) -> list[Row]:
    rows = [*_list_halts(status)]
    if found.run.version != __version__:
        text = f"the proxy on :{found.run.port} is version {found.run.version}, this program is {__version__}"
        rows.append(Row("proxy", "warn", text, _restart(found)))
    vitals = status.vitals
    if vitals.stalled_s is not None:
        text = f"{format_count(vitals.waiting, 'request')} wait, and none was answered for "
        rows.append(Row("proxy", "fail", text + format_duration(vitals.stalled_s), _restart(found)))
    if vitals.worst_loop_lag_ms > _LAG_MS and status.uptime_s > _STARTING:
        text = f"it answered {format_seconds(vitals.worst_loop_lag_ms)} late within the last minute"
        rows.append(Row("proxy", "warn", text, "Is the machine busy, or was it asleep? See: fairlead status"))
    for name, bound in sorted(vitals.bounds.items()):
        if bound.limit and bound.used is not None and bound.used > _NEAR * bound.limit:
            text = f"{name.replace('_', ' ')}: {bound.used:,} of {bound.limit:,} in use"
            rows.append(Row("proxy", "warn", text, "See what runs: fairlead status"))
    for backend in status.backends:
        if backend.queue.stalled_s is not None:
            text = f"{format_count(backend.queue.waiting, 'request')} to {backend.name} wait, and none went on for "
            text += format_duration(backend.queue.stalled_s)
            rows.append(Row("proxy", "warn", text, "See what runs: fairlead status", subject=backend.name))
    if status.dropped_log_lines:
        text = f"{format_count(status.dropped_log_lines, 'line')} of the access log could not be written"
        rows.append(
            Row("proxy", "warn", text, "Is its disk full, or its reader gone? See: fairlead config get log_file")
        )
    return rows


def _list_problems(status: Status, told: set[str]) -> list[Row]:
    """What it reports itself. told: the beginnings of what other checks say."""
    rows: list[Row] = []
    for problem in status.problems:
        if not any(problem.startswith(one) for one in told):
            text, fix = split_advice(clean(problem, 600))
            rows.append(Row("proxy", "warn", text, fix or "See: fairlead status"))
    return rows


def _list_halts(status: Status) -> list[Row]:
    rows: list[Row] = []
    for halt in status.guard.halts:
        since, until = (time.strftime("%H:%M", time.localtime(moment)) for moment in (halt.since, halt.until))
        text = f"the guard halts {halt.scope} since {since}, until {until}: {clean(halt.reason, 300)}"
        verdict = "fail" if halt.scope == "all" else "warn"
        rows.append(Row("proxy", verdict, text, "When more may be spent: fairlead resume"))
    return rows


async def check_round(situation: Situation) -> list[Row]:
    """Whether a request is answered: by the demo, through the proxy's real socket."""
    serving = situation.serving
    if serving is None or serving.proxy is None or situation.home is None:
        return []
    if not situation.settings.demo:
        return [Row("proxy.round", "info", "not sent: the demo is off")]
    key = situation.settings.api_key or situation.home.peek(CLIENT_KEY)
    try:
        started = time.perf_counter()
        answer = await _ask_demo(serving.proxy.url, NO_KEY)
        if answer.status == 401 and key is not None:
            started = time.perf_counter()
            answer = await _ask_demo(serving.proxy.url, key.reveal())
    except ControlError as error:
        return [Row("proxy.round", "fail", f"a request to the demo got no answer: {error}", _restart(serving))]
    took = format_seconds((time.perf_counter() - started) * 1000)
    if answer.status == 200 and b'"choices"' in answer.body:
        return [Row("proxy.round", "ok", f"the demo answered through it in {took}")]
    if answer.status in (401, 403):
        return [Row("proxy.round", "info", "not sent: the proxy asks for a client key that is not known here")]
    text = f"a request to the demo got status {answer.status}"
    return [Row("proxy.round", "fail", text, "What happened: fairlead why -")]


async def _ask_demo(url: str, key: str) -> Answer:
    body = b'{"model":"demo","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'
    return await post_json(f"{url}/v1/chat/completions", {"authorization": f"Bearer {key}"}, body, timeout=2.0)
