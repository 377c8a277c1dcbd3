"""Where budgets are going: by the rate of the last hour, told apart by scope, and never guessed."""

import msgspec
import pytest

from router.cli.tui.forecast import forecast_budgets
from router.operator_api.guard import GuardStatus

from .pictures import BUDGET, NOW, make_home, make_status, make_sums, make_usage, picture_of


def forecast(tmp_path, usage, **changes):
    """The line of a budget."""
    budget = msgspec.structs.replace(BUDGET, **changes)
    status = make_status(guard=GuardStatus(state="running", budgets=[budget]))
    (line,) = forecast_budgets(picture_of(make_home(tmp_path), status, 80, hour=usage))
    return line


@pytest.mark.parametrize(
    ("changes", "said", "kind"),
    [
        ({}, "full at", "warn"),
        ({"limit": 1000.0}, "at the last hour's rate", ""),
        ({"spent": 11.0}, "110 %", "bad"),
        ({"scope": "backend anthropic"}, "full at", "warn"),
        ({"scope": "account anthropic/work"}, "full at", "warn"),
        ({"scope": "tag nothing"}, "new at", ""),
        ({"unit": "tokens", "limit": 5e6, "spent": 1e6}, "1.0M tokens of 5.0M tokens", "warn"),
        ({"renews": None, "limit": 1000.0}, "full at", "warn"),
    ],
)
def test_a_budget_says_where_it_goes(tmp_path, changes, said, kind):
    """When it is full, or what it comes to by its end; without a rate only when it begins anew."""
    line = forecast(tmp_path, make_usage(), **changes)
    assert said in line.text
    assert line.kind == kind


def test_without_a_history_nothing_is_forecast(tmp_path):
    """Nor where nothing was spent within the hour."""
    assert "rate" not in forecast(tmp_path, None).text
    idle = msgspec.structs.replace(make_usage(), total=make_sums(cost_usd=0.0))
    assert "rate" not in forecast(tmp_path, idle, renews=NOW + 60).text
