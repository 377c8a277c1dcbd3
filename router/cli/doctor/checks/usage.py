"""What the last day's requests tell: prices that are missing, what translations lost, names that were not served."""

import shlex
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import trio

from router.cli.common.output import format_count
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.operator_api.explain import Question
from router.policy.budget.prices import find_data_date
from router.settings.kinds import clean
from router.settings.reading import format_path
from router.setup.record import read_record
from router.store.history import read_usage
from router.store.history.read_requests import RecordedRequest, read_latest
from router.store.history.reader import open_reader
from router.store.home.home import Home

_DAY = 86400.0
#: Days after which prices may have changed.
_PRICES_DAYS = 60
#: Share of a day's requests without a price from which on a budget means little.
_UNPRICED = 0.1
#: The newest requests, which are looked through.
_LOOKED_THROUGH = 1000
_SHOWN = 3
#: What Claude Code 2.1.332 asks for beside the model that its user chose.
_OWN_NAMES = {"claude-sonnet-5": "auto mode judges actions with it", "claude-haiku-4-5": "titles and web searches"}


def check_prices(situation: Situation) -> list[Row]:
    """Whether prices are known, where budgets go by them."""
    rows: list[Row] = []
    today = datetime.now(UTC).date()
    found = find_data_date(today)
    if found is not None:
        age = (today - found).days
        if age > _PRICES_DAYS:
            rows.append(Row("prices", "info", f"the newest price is of {found}; `fairlead upgrade` brings new ones"))
    return [*rows, *_judge_budgets(situation)]


def _judge_budgets(situation: Situation) -> list[Row]:
    home = situation.home
    if home is None or not _has_dollar_budget(situation):
        return []
    now = time.time()
    try:
        with open_reader(home) as db:
            total = read_usage.summarize(db, now - _DAY, now).total if db is not None else None
    except CommandError:
        return []
    if total is None or not total.requests or total.unpriced <= _UNPRICED * total.requests:
        return []
    text = f"{format_count(total.unpriced, 'request')} of {total.requests:,} since yesterday had no price, and counted "
    text += "in no budget in US dollars"
    return [Row("prices", "warn", text, "Name the models: fairlead usage; set a price: fairlead config edit")]


def _has_dollar_budget(situation: Situation) -> bool:
    settings = situation.settings
    return settings.guard_enabled and bool(settings.guard_day_usd or settings.guard_month_usd)


def _read_day(situation: Situation) -> list[RecordedRequest]:
    """The newest requests of the last 24 hours."""
    if situation.home is None:
        return []
    try:
        with open_reader(situation.home) as db:
            newest = read_latest(db, _LOOKED_THROUGH) if db is not None else []
    except CommandError:
        return []
    since = time.time() - _DAY
    return [one for one in newest if one.time >= since]


def check_losses(situation: Situation) -> list[Row]:
    """What translations left out most often."""
    counts = Counter(loss for one in _read_day(situation) for loss in set(one.losses))
    if not counts:
        return []
    listed = ", ".join(f"{clean(loss)} ({number:,})" for loss, number in counts.most_common(_SHOWN))
    return [Row("loss", "info", f"translations of the last 24 h left out {listed}")]


async def check_names(situation: Situation) -> list[Row]:
    """Names that were asked for and that nothing serves, and those that agents ask for by themselves."""
    day = await trio.to_thread.run_sync(_read_day, situation, abandon_on_cancel=True)
    rows = judge_names(day)
    serving, home = situation.serving, situation.home
    used = any(one.client == "claude-code" for one in day) or (home is not None and _is_set_up(home, "claude-code"))
    if not used or serving is None or serving.proxy is None:
        return rows
    for name, purpose in _OWN_NAMES.items():
        answer = await serving.proxy.explain(Question(model=name))
        if answer.error:
            text = f"Claude Code asks for {name} by itself ({purpose}), and no backend serves it"
            rows.append(Row("routes.asked", "warn", text, _advise_alias(name)))
    return rows


def _is_set_up(home: Home, tool: str) -> bool:
    try:
        return read_record(home, tool) is not None
    except CommandError:
        return False


def judge_names(requests: Sequence[RecordedRequest]) -> list[Row]:
    """The same, for these requests."""
    served = {one.model for one in requests if one.status < 400}
    missing = Counter((one.model, one.client) for one in requests if _was_unknown(one) and one.model not in served)
    rows: list[Row] = []
    for (model, client), number in missing.most_common(_SHOWN):
        who = clean(client) or "a tool"
        text = f"{who} asked {format_count(number, 'time')} for {clean(model)}, which no backend serves"
        rows.append(Row("routes.asked", "warn", text, _advise_alias(model)))
    return rows


def _was_unknown(request: RecordedRequest) -> bool:
    """True for a request that no backend was asked for, since none serves the name."""
    return request.status == 404 and bool(request.model) and not request.backend


def _advise_alias(model: str) -> str:
    path = shlex.quote(format_path(("aliases", clean(model))))
    return f"Send it elsewhere: fairlead config set {path} BACKEND:MODEL"
