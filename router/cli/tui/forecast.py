"""Where each budget is going: what is spent, and what it comes to by its end at the rate of the last hour."""

from router.cli.tui.charts import draw_bar
from router.cli.tui.picture import Line, Picture
from router.operator_api.guard import BudgetReport
from router.policy.budget.guard import format_moment
from router.settings.kinds import clean
from router.store.history.read_usage import UsageSummary
from router.watch import amounts

_NEAR = 0.8


def forecast_budgets(picture: Picture) -> list[Line]:
    """A line for each budget of the newest proxy."""
    if not picture.proxies:
        return []
    return [_forecast(one, picture) for one in picture.proxies[0].guard.budgets]


def _forecast(budget: BudgetReport, picture: Picture) -> Line:
    share = budget.spent / budget.limit if budget.limit else 1.0
    of = "" if budget.scope == "all" else f"{clean(budget.scope)} "
    text = (
        f"budget   {draw_bar(share)} {amounts.format_share(share):>4}  {of}{budget.period}: "
        f"{_format(budget, budget.spent)} of {_format(budget, budget.limit)}"
    )
    if budget.reserved:
        text += f", {_format(budget, budget.reserved)} reserved for running requests"
    said, over = _say_forecast(budget, picture)
    kind = "bad" if share >= 1 else "warn" if share >= _NEAR or over else ""
    return Line(f"{text}   {said}".rstrip(), kind)


def _say_forecast(budget: BudgetReport, picture: Picture) -> tuple[str, bool]:
    """What is to come in words, and whether it is more than the budget."""
    rate = None if picture.hour is None else find_hourly(budget, picture.hour)
    renews = "" if budget.renews is None else f"new at {format_moment(budget.renews, picture.time)}"
    if not rate or budget.spent >= budget.limit:
        return renews, False
    full = picture.time + (budget.limit - budget.spent) / rate * 3600
    if budget.renews is None or full < budget.renews:
        return f"full at {format_moment(full, picture.time)} at the last hour's rate; {renews}".rstrip("; "), True
    then = budget.spent + rate * (budget.renews - picture.time) / 3600
    return (
        f"about {_format(budget, then)} by {format_moment(budget.renews, picture.time)} at the last hour's rate",
        False,
    )


def find_hourly(budget: BudgetReport, hour: UsageSummary) -> float | None:
    """What the last hour took of a budget; None where the history does not tell it apart."""
    kind, _, name = budget.scope.partition(" ")
    rows = {"backend": hour.backends, "account": hour.accounts, "tag": hour.tags, "key": hour.keys}.get(kind)
    found = hour.total if budget.scope == "all" else next((one for one in rows or () if one.name == name), None)
    if found is None:
        return None
    if budget.unit == "usd":
        return found.cost_usd
    return float(found.tokens_in + found.cache_read + found.cache_write + found.tokens_out)


def _format(budget: BudgetReport, amount: float) -> str:
    return amounts.format_money(amount) if budget.unit == "usd" else f"{amounts.format_tokens(int(amount))} tokens"
