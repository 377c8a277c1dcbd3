"""The settings on which a team must agree."""

from dataclasses import replace

from router.policy.budget.team_settings import NOT_SET, find_differences, list_team_settings
from router.settings import Settings
from router.settings.tables import BackendOptions


def test_a_limit_for_everything_is_told_where_there_is_none():
    """Other limits only where there are some: homes have backends, accounts and tags of their own."""
    told = list_team_settings(
        replace(
            Settings(),
            guard_day_usd=5.0,
            backends={"box": BackendOptions(budget_month_tokens=1_000_000)},
            guard_tags_day_usd={"blue": 0.1},
        )
    )
    assert told == {
        "guard.enabled": "on",
        "guard.behavior": "halt",
        "shared.timezone": "UTC",
        "guard.day_usd": "5",
        "guard.month_usd": NOT_SET,
        "guard.day_tokens": NOT_SET,
        "guard.month_tokens": NOT_SET,
        "backends.box.budget.month_tokens": "1000000",
        "guard.tags.blue.day_usd": "0.1",
    }


def test_a_difference_names_who_has_what():
    """What both have and is not the same, with the machines that have it; what only one knows is none."""
    others = {"a": {"guard.day_usd": "7"}, "b": {"guard.day_usd": "7", "guard.tags.x.day_usd": "1"}, "c": {}}
    assert find_differences({"guard.day_usd": "5", "guard.behavior": "halt"}, others) == [
        "guard.day_usd is 5 here and 7 at a and b; in a team each proxy goes by its own. Set them alike:   "
        "fairlead config set guard.day_usd VALUE"
    ]
    assert find_differences({"guard.day_usd": "7"}, others) == []
