"""The state of accounts as texts and fields: each state with its reason and its end, on a clock that stands still."""

from types import SimpleNamespace

import pytest

from router.backends import Account
from router.operator_api.accounts import AccountLimit
from router.policy.accounts.pool import ANY, Want
from router.settings import Settings
from router.settings.tables import BackendOptions
from router.upstream import account_state
from router.upstream.account_state import (
    Condition,
    account_words,
    can_serve,
    condition,
    headroom,
    report_account,
    report_accounts,
    room_words,
    why_not,
)
from router.wire.headers.rate_limits import Limit

from .services import ACCOUNTS, halted, members, service, two_accounts

NOW = 1000.0
MISSING = (Account("a0", "env:MISSING"), ACCOUNTS[1])


def park(pool, member):
    pool.park(member, NOW, 600, "429 window")


def reject(pool, member):
    pool.cool_down(member, NOW, NOW, "401")


def revoke(pool, member):
    for _ in range(6):
        pool.cool_down(member, NOW, NOW + 1, "401")


def limit(pool, member):
    pool.begin_request(member, NOW)


def leave(pool, member):
    """Nothing happens to it."""


def fail(pool, member):
    pool.mark_failed(member, NOW, NOW)


def park_family(pool, member):
    pool.park(member, NOW, 600, "429 of opus", "opus")


def park_model(pool, member):
    pool.park(member, NOW, 600, "429 window", "gpt-5")


def refuse_model(pool, member):
    pool.refuse_model(member, NOW, NOW, "gpt-5", "403")


STATES = [
    (leave, "ready", None, "ready"),
    (fail, "ready", None, "ready, but it failed a moment ago"),
    (park_family, "ready", None, "ready; parked for models of opus for 10 min (429 of opus)"),
    (park_model, "ready", None, "ready; parked for gpt-5 for 10 min (429 window)"),
    (refuse_model, "ready", None, "ready; paused for gpt-5 for 60 s (403)"),
    (park, "parked", 600.0, "parked for 10 min (429 window)"),
    (reject, "cooling", 60.0, "paused for 60 s after a 401 (longer each time)"),
    (revoke, "revoked", 1800.0, "revoked for 30 min (401)"),
    (limit, "parked", 61.0, "parked for 61 s (at the rpm you set for it)"),
]


@pytest.mark.parametrize(("happen", "state", "left", "words"), STATES)
def test_the_state_of_an_account(made, happen, state, left, words):
    """Each state says why, and for how long; the fields of the status say the same."""
    settings = Settings(pool_accounts_rpm={"up/a0": 1}) if happen is limit else Settings()
    runtime = made(two_accounts(), settings=settings)
    found, member = service(runtime), members(runtime)["a0"]
    happen(found.pool, member)
    assert condition(found, member, NOW)[:2] == (state, left)
    assert account_words(found, member, NOW) == words
    report = report_account(found, member, NOW)
    assert (report.state, report.reason, report.until_s) == (state, words, left)


@pytest.mark.parametrize(("happen", "state", "left", "words"), STATES)
def test_each_state_ends(made, happen, state, left, words):
    """By time alone, and then its text does not mention it."""
    runtime = made(two_accounts(), settings=Settings(pool_accounts_rpm={"up/a0": 1}) if happen is limit else Settings())
    found, member = service(runtime), members(runtime)["a0"]
    happen(found.pool, member)
    assert account_words(found, member, NOW + 1801) == "ready"


def test_an_account_whose_key_cannot_be_had(made):
    """It is unusable, whatever else holds for it, for a time that is not known."""
    runtime = made(two_accounts(accounts=MISSING))
    found, member = service(runtime), members(runtime)["a0"]
    park(found.pool, member)
    state, left, why = condition(found, member, NOW)
    assert (state, left) == ("unusable", None)
    assert "$MISSING is not set" in why
    assert account_words(found, member, NOW) == f"unusable: {why}"
    assert report_account(found, member, NOW).until_s is None


@pytest.mark.parametrize(("until", "left"), [(5090.0, 90.0), (4000.0, 0.0)])
def test_an_account_that_is_halted(made, monkeypatch, until, left):
    """It is halted until a moment of the wall's clock, whatever its pool says; never for less than no time."""
    monkeypatch.setattr(account_state, "time", SimpleNamespace(time=lambda: 5000.0))
    runtime = made(two_accounts())
    found, member = service(runtime), members(runtime)["a0"]
    park(found.pool, member)
    found = halted(found, "a0", until=until)
    assert condition(found, member, NOW) == Condition("halted", left, "used up")
    assert condition(found, members(runtime)["a1"], NOW).state == "ready"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Condition("ready"), "ready"),
        (Condition("unusable", None, "$KEY is not set"), "unusable: $KEY is not set"),
        (Condition("parked", 2280.0, "429 window"), "parked for 38 min (429 window)"),
        (Condition("cooling", 0.0, "401"), "paused for 0 s after a 401 (longer each time)"),
    ],
)
def test_a_condition_in_words(found, words):
    """The state, how long it lasts where that is known, and why."""
    assert found.words == words


def test_the_fields_of_a_report(made):
    """What is used of each limit, when it resets, what is left over all, and what runs."""
    runtime = made(two_accounts())
    found, member = service(runtime), members(runtime)["a0"]
    member.headroom.note_limits((Limit("5h", 0.18, 3600), Limit("7d", 0.09123456, 7200)), NOW)
    found.pool.begin_request(member, NOW)
    report = report_account(found, member, NOW)
    assert (report.alias, report.headroom, report.running, report.next) == ("a0", 0.82, 1, False)
    assert report.limits == [
        AccountLimit(name="5h", used=0.18, resets_s=3600.0),
        AccountLimit(name="7d", used=0.0912, resets_s=7200.0),
    ]


@pytest.mark.parametrize(
    ("change", "following"),
    [
        (lambda found, a0, a1: found, "a0"),
        (lambda found, a0, a1: park(found.pool, a0) or found, "a1"),
        (lambda found, a0, a1: halted(found, "a0", until=0.0), "a1"),
        (lambda found, a0, a1: halted(found, "a0", "a1", until=0.0), None),
        (lambda found, a0, a1: park(found.pool, a0) or park(found.pool, a1) or found, None),
    ],
    ids=["all ready", "first parked", "first halted", "all halted", "all parked"],
)
def test_the_account_that_is_next(made, change, following):
    """The one that takes the next conversation; none where no account is ready."""
    runtime = made(two_accounts(), settings=Settings(pool_strategy="fill-first"))
    named = members(runtime)
    found = change(service(runtime), *named.values())
    marked = [alias for alias, member in named.items() if report_account(found, member, NOW).next]
    assert marked == ([] if following is None else [following])


def test_a_single_account_is_never_next(made):
    """With a single account there is no next one."""
    runtime = made(two_accounts(accounts=ACCOUNTS[:1]))
    assert not report_account(service(runtime), members(runtime)["a0"], NOW).next


def test_all_accounts_are_reported(made):
    """By backend and alias."""
    runtime = made(two_accounts(), two_accounts("other"))
    found = report_accounts(runtime.snapshot.services.values(), NOW)
    assert set(found) == {(name, alias) for name in ("up", "other") for alias in ("a0", "a1")}
    assert found["other", "a1"].state == "ready"


def test_what_is_left_in_words(made):
    """Every limit of the provider and of the user is listed with its used share; the smallest headroom counts."""
    options = {"up": BackendOptions(tpm=1000)}
    runtime = made(two_accounts(), settings=Settings(backends=options, pool_accounts_rpm={"up/a0": 4}))
    found, member = service(runtime), members(runtime)["a0"]
    assert room_words(found, member, NOW, ANY) == "headroom 100 % (tpm 0 %, rpm 0 %)"
    member.headroom.note_limits((Limit("5h", 0.18, 3600), Limit("opus", 0.5, 3600, "opus")), NOW)
    found.queue.rate_limit.count_request(NOW, 300)
    found.pool.begin_request(member, NOW)
    assert room_words(found, member, NOW, ANY) == "headroom 70 % (opus 50 %, 5h 18 %, tpm 30 %, rpm 25 %)"
    assert room_words(found, member, NOW, Want(family="opus")).startswith("headroom 50 % ")
    assert (headroom(found, member, NOW), headroom(found, member, NOW, "opus")) == pytest.approx((0.7, 0.5))


def test_what_is_left_of_an_account_that_cannot_serve(made):
    """Its state is shown in place of its headroom, also for one family of models."""
    runtime = made(two_accounts())
    found, member = service(runtime), members(runtime)["a0"]
    assert room_words(found, member, NOW, ANY) == "headroom 100 %"
    park_family(found.pool, member)
    assert room_words(found, member, NOW, Want(family="opus")) == account_words(found, member, NOW)
    assert room_words(found, member, NOW, Want(family="haiku")) == "headroom 100 %"
    park(found.pool, member)
    assert room_words(found, member, NOW, Want(family="haiku")) == "parked for 10 min (429 window)"


@pytest.mark.parametrize(
    ("seconds", "patience", "serves"),
    [(50, 10.0, True), (60, 10.0, True), (61, 10.0, False), (61, 120.0, True), (121, 120.0, False)],
)
def test_a_backend_can_serve_within_its_patience(made, seconds, patience, serves):
    """A minute at least, after which an account with a limit without a readable end is asked again."""
    runtime = made(two_accounts(accounts=ACCOUNTS[:1]), settings=Settings(queue_timeout=patience))
    found = service(runtime)
    found.pool.park(members(runtime)["a0"], NOW, seconds, "429")
    assert can_serve(found, NOW) is serves


def test_a_rejected_key_is_tried_nevertheless(made):
    """Where no account is ready, the one that cools down may serve."""
    runtime = made(two_accounts(accounts=ACCOUNTS[:1]))
    revoke(service(runtime).pool, members(runtime)["a0"])
    assert can_serve(service(runtime), NOW)


def test_why_a_backend_cannot_serve(made, monkeypatch):
    """Every account is listed with its state; the text is empty while one of them serves."""
    monkeypatch.setattr(account_state, "time", SimpleNamespace(time=lambda: 5000.0))
    runtime = made(two_accounts(accounts=MISSING))
    found = service(runtime)
    assert why_not(found, NOW) == ""
    found = halted(found, "a1", until=5030.0)
    missing, stopped = why_not(found, NOW).split("; ")
    assert missing.startswith("a0: unusable: $MISSING is not set")
    assert stopped == "a1: halted for 30 s (used up)"
