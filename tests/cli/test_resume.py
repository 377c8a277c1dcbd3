"""`fairlead resume`, and what `usage` and the start of a proxy say of the guard."""

import json
import time
from contextlib import closing

import pytest

from router.policy.budget.budgets import ALL, DOLLAR, Budget, budget_key, find_term
from router.policy.budget.guard import Halt
from router.store.database.open import open_history
from router.store.home.home import open_home

BOOK = budget_key(Budget(ALL, "day", "usd", 0), find_term("day", time.time()))


@pytest.fixture
def halted(fairlead):
    """The command, in a home whose daily budget was used up, with no proxy running."""
    home = open_home({"FAIRLEAD_HOME": str(fairlead.home)})
    now = time.time()
    halt = Halt(ALL, now - 60, now + 1740, "the daily budget of $5.00 is used up ($5.01 spent)", "req_7", BOOK)
    db, _ = open_history(home)
    with closing(db):
        db.execute("INSERT INTO guard_books VALUES (?, ?, ?, 0, ?)", (BOOK, now - 3600, 5_010_000_000, 5 * DOLLAR))
        row = (halt.scope, halt.since, halt.until, halt.reason, halt.request, halt.budget_key)
        db.execute("INSERT INTO guard_halts VALUES (?, ?, ?, ?, ?, ?)", row)
    return fairlead


def test_nothing_to_lift(fairlead):
    """Without a history, and without a halt, it says so."""
    done = fairlead("resume")
    assert (done.code, done.out, done.err) == (0, "Nothing was halted.\n", "")
    assert json.loads(fairlead("resume", "--json").out) == {"lifted": []}
    assert not (fairlead.home / "history.db").exists()


def test_lifting_without_a_proxy(halted):
    """The halt is named and gone; the budget counts from here."""
    done = halted("resume")
    assert done.code == 0
    assert done.out == "Halt ended: the daily budget of $5.00 is used up ($5.01 spent).\nTraffic continues.\n"
    assert halted("resume").out == "Nothing was halted.\n"
    assert "day $0.00 of $5.00 (0 %)" in halted("usage", FAIRLEAD_GUARD_DAY_USD="5").out


def test_lifting_as_json(halted):
    """The fields of /status."""
    [lifted] = json.loads(halted("resume", "--json").out)["lifted"]
    assert set(lifted) == {"scope", "since", "until", "reason", "request"}
    assert lifted["request"] == "req_7"


def test_lifting_through_a_proxy(halted):
    """A running proxy is told, also one whose settings guard nothing."""
    halted.start("proxy", "--port", "0")
    assert halted("resume").out.endswith("Traffic continues.\n")
    assert halted("resume").out == "Nothing was halted.\n"


def test_what_is_said_of_it(halted):
    """`usage` and the start of a proxy show budgets and halts, with the way out; without a budget nothing is said."""
    text = "guard    day $5.01 of $5.00 (100 %)   (halts)\nhalted   until "
    usage = halted("usage", FAIRLEAD_GUARD_DAY_USD="5").out
    assert text in usage
    assert usage.rstrip().endswith("is used up ($5.01 spent) (req_7). Continue now:   fairlead resume")
    started = halted.start("proxy", "--port", "0", "--guard-day-usd", "5")
    assert text in "\n".join(started.lines)
    assert "guard" not in halted("usage").out
    assert "halted" not in halted("usage", FAIRLEAD_GUARD_DAY_USD="5", FAIRLEAD_GUARD_BEHAVIOR="warn").out


def test_the_settings_by_command(fairlead):
    """Each is set, shown and refused as its declaration says."""
    for key, text in (
        ("guard.day_usd", "12.5"),
        ("guard.billing", "five_hour,seven_day"),
        ("guard.accounts.day_usd.groq/work", "2"),
        ("backends.groq.budget.month_usd", "50"),
    ):
        assert fairlead("config", "set", key, text).code == 0, key
        assert fairlead("config", "get", key).out == f"{text}\n", key
    rows = fairlead("config", "show").out
    assert "guard.accounts.day_usd.groq/work" in rows
    for key, text in (("guard.day_usd", "0"), ("guard.accounts.day_usd.groq", "2"), ("guard.behavior", "stop")):
        done = fairlead("config", "set", key, text)
        assert (done.code, key in done.err) == (1, True), done.err
    assert fairlead("config", "unset", "guard.accounts.day_usd.groq/work").code == 0
    assert "groq/work" not in fairlead("config", "show").out
