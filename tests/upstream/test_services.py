"""Services of backends: the state of accounts stays over a reload, and the user's limits hold from the next on."""

import pytest

from router.backends import Account
from router.policy.accounts.rate_limit import RateSettings
from router.settings import Settings
from router.settings.tables import BackendOptions
from router.store.config import backends

from .runtimes import backend, reload
from .services import ACCOUNTS, halted, members, reconfigure, service, two_accounts

NOW = 1000.0


def test_what_is_known_outlives_a_reload(made):
    """Accounts that are parked stay parked; sessions and the queue go on."""
    runtime = made(two_accounts())
    before = service(runtime)
    before.pool.park(members(runtime)["a0"], NOW, 600, "429")
    reload(runtime)
    after = service(runtime)
    assert after is not before
    assert after.pool.members == before.pool.members
    assert members(runtime)["a0"].state(NOW) == "parked"
    assert after.pool.affinity is before.pool.affinity
    assert after.queue is before.queue


@pytest.mark.parametrize(
    ("accounts", "states"),
    [
        ((Account("a0", "sk-newer-0123456789"), ACCOUNTS[1]), {"a0": "ready", "a1": "parked"}),
        ((Account("new", ACCOUNTS[0].key), ACCOUNTS[1]), {"new": "ready", "a1": "parked"}),
        ((ACCOUNTS[1],), {"a1": "parked"}),
        ((*reversed(ACCOUNTS), Account("a2", "sk-third-0123456789")), {"a1": "parked", "a0": "parked", "a2": "ready"}),
    ],
    ids=["new key", "new alias", "one less", "one more"],
)
def test_a_new_key_begins_as_ready(made, home, accounts, states):
    """The state of an account belongs to its alias and key; the order is that of the backend's file."""
    runtime = made(two_accounts())
    for member in members(runtime).values():
        service(runtime).pool.park(member, NOW, 600, "429")
    backends.save(home, two_accounts(accounts=accounts))
    reload(runtime)
    assert {alias: member.state(NOW) for alias, member in members(runtime).items()} == states


def test_no_key_is_told_by_its_fingerprint(made):
    """It differs between keys, and shows no part of them; an account without a key has none."""
    runtime = made(two_accounts(), backend("free", auth="none", key=""))
    prints = {alias: member.fingerprint for alias, member in members(runtime).items()}
    assert prints["a0"] != prints["a1"]
    assert not any(account.key in text for account in ACCOUNTS for text in prints.values())
    assert [member.fingerprint for member in members(runtime, "free").values()] == [""]


def test_backends_know_nothing_of_each_other(made):
    """The same key at two backends is two accounts, each with a state of its own."""
    runtime = made(two_accounts(), two_accounts("other"))
    service(runtime).pool.park(members(runtime)["a0"], NOW, 600, "429")
    assert members(runtime, "other")["a0"].state(NOW) == "ready"
    assert service(runtime).queue is not service(runtime, "other").queue


def test_the_first_account_that_can_be_used_speaks_for_its_backend(made):
    """An account without a usable key is passed over, unless no account has one."""
    missing, other = Account("a0", "env:MISSING"), Account("a1", "env:MISSING")
    runtime = made(two_accounts(accounts=(missing, ACCOUNTS[1])), two_accounts("none", accounts=(missing, other)))
    assert service(runtime).first.account == "a1"
    assert {alias: member.usable for alias, member in members(runtime).items()} == {"a0": False, "a1": True}
    assert service(runtime, "none").first.account == "a0"


def test_an_account_is_usable_again_once_its_key_is_there(made):
    """A reload that finds the key makes the account usable."""
    environ = {"ANOTHER": "x"}
    runtime = made(two_accounts(accounts=(Account("a0", "env:LATE"),)), environ=environ)
    assert not members(runtime)["a0"].usable
    environ["LATE"] = "sk-late-0123456789"
    reload(runtime)
    assert members(runtime)["a0"].usable


@pytest.mark.parametrize(
    ("options", "limits", "running", "waiting"),
    [
        (BackendOptions(), RateSettings(), 7, 9),
        (BackendOptions(max_concurrent=2), RateSettings(), 2, 9),
        (BackendOptions(rpm=3, tpm=4, min_interval=0.5), RateSettings(3, 4, 0.5), 7, 9),
    ],
)
def test_the_limits_of_a_backend(made, options, limits, running, waiting):
    """Those of its table replace the common ones, from the next reload on."""
    common = {"queue_max_concurrent": 7, "queue_max_queued": 9, "queue_timeout": 3.0}
    runtime = made(two_accounts())
    reconfigure(runtime, backends={"up": options}, **common)
    found = service(runtime)
    assert (found.queue.limit, found.queue.most, found.patience) == (running, waiting, 3.0)
    assert found.queue.rate_limit.limits == limits


def test_the_limits_of_an_account(made):
    """They are of that account alone; what it sent in the last minute still counts when its limit changes."""
    runtime = made(two_accounts(), settings=Settings(pool_accounts_rpm={"up/a0": 2}))
    first, second = members(runtime).values()
    assert (first.rate_limit.limits, second.rate_limit) == (RateSettings(2), None)
    service(runtime).pool.begin_request(first, NOW)
    reconfigure(runtime, pool_accounts_rpm={"up/a0": 1})
    assert first.rate_limit.used(NOW) == {"rpm": (1, 1)}
    service(runtime).pool.begin_request(first, NOW)
    assert first.state(NOW) == "parked"
    reconfigure(runtime)
    assert (first.rate_limit, first.state(NOW)) == (None, "ready")


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({}, False),
        ({"backends": {"up": BackendOptions(rpm=5)}}, False),
        ({"backends": {"up": BackendOptions(tpm=5)}}, True),
        ({"pool_accounts_tpm": {"up/a1": 5}}, True),
        ({"pool_accounts_tpm": {"upper/a1": 5}}, False),
    ],
)
def test_tokens_are_counted_where_they_are_limited(made, settings, counts):
    """By the backend or by one of its accounts; elsewhere no request is estimated."""
    assert service(made(two_accounts(), settings=Settings(**settings))).counts_tokens is counts


@pytest.mark.parametrize(
    ("learned", "configured", "group"),
    [("org-1", {}, "org-1"), ("", {"up/a0": "org-1"}, "group org-1"), ("org-1", {"up/a0": "mine"}, "group mine")],
)
def test_the_group_of_an_account(made, learned, configured, group):
    """The user's name for it replaces the one an answer gave, and is never equal to one of those."""
    runtime = made(two_accounts())
    members(runtime)["a0"].group = learned
    reconfigure(runtime, pool_accounts_group=configured)
    assert members(runtime)["a0"].group == group
    assert members(runtime)["a1"].group == ""


def test_a_group_that_is_no_longer_configured(made):
    """The account is in none until an answer names one."""
    runtime = made(two_accounts(), settings=Settings(pool_accounts_group={"up/a0": "mine"}))
    reconfigure(runtime)
    assert members(runtime)["a0"].group == ""


def test_where_one_request_says_nothing_about_the_next(made):
    """The demo's models, and callers with credentials of their own, are never parked for each other."""
    runtime = made(
        two_accounts(),
        backend("own", auth="client", key=""),
        backend("free", auth="none", key=""),
        demo_root="http://x",
    )
    found = {name: one.pool.stateless for name, one in runtime.snapshot.services.items()}
    assert found == {"up": False, "own": True, "free": False, "demo": True}


@pytest.mark.parametrize("strategy", ["headroom", "fill-first", "round-robin"])
def test_the_strategy_is_the_user_s(made, strategy):
    """It holds for every backend, from the next reload on."""
    runtime = made(two_accounts())
    reconfigure(runtime, pool_strategy=strategy)
    assert service(runtime).pool.strategy == strategy


def test_accounts_with_budgets(made):
    """Only a backend that has such an account asks the guard for their taken share."""
    settings = Settings(guard_accounts_day_usd={"up/a0": 1.0})
    runtime = made(two_accounts(), two_accounts("other"), settings=settings)
    assert (service(runtime).pool.budgeted, service(runtime, "other").pool.budgeted) == (True, False)


def test_accounts_that_are_halted(made):
    """By alias, with the reason and the end, and without those of another backend."""
    found = service(made(two_accounts()))
    assert found.halted() == {}
    assert halted(found, "a1", until=99.0, reason="too fast").halted() == {"a1": ("too fast", 99.0)}
    assert halted(service(made(two_accounts("other")), "other"), until=99.0).halted() == {}
