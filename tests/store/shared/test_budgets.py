"""The guard's data that processes share: shares, spend, halts; with real files and the ledger's own thread."""

import os
import subprocess
import sys
import threading
from contextlib import closing

import msgspec
import pytest

from router.policy.budget.budgets import ALL, CHILD, Budget, Rates, budget_key, find_term
from router.policy.budget.guard import Halt
from router.policy.budget.reservations import Claim
from router.store.database.open import connect, open_history
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.reader import open_reader
from router.store.history.record import History
from router.store.home.home import open_home
from router.store.interfaces import SyncMessage
from router.store.shared import budgets
from router.store.shared.budgets import SqliteSharedBudgets

from ...patience import PATIENCE

NOW = 1_795_243_000.0
DAY = find_term("day", NOW)
LIMIT = 1000


def price(entry):
    """A dollar's billionth a token."""
    return (entry.tokens_in or 0) + (entry.tokens_out or 0), "test"


def entry(number, tokens, *, backend="box", account="main", at=NOW):
    """A finished request."""
    return HistoryEntry(
        id=f"req_{number}",
        started=at,
        method="POST",
        path="/v1/messages",
        backend=backend,
        account=account,
        tokens_in=tokens,
        tokens_out=0,
    )


def claim(scope=ALL, unit="usd", *, keep=0, running=0, needed=0, limit=LIMIT):
    """A claim of a budget, under its key."""
    budget = Budget(scope, "day", unit, limit)
    return {budget_key(budget, DAY): Claim(budget, DAY, keep, running, needed)}


def wish(needed, since, **more):
    """A claim for a request that waits since then."""
    return {key: one._replace(needed=needed, since=since) for key, one in claim(**more).items()}


BOOK = next(iter(claim()))


class Part:
    """One process: it publishes, and waits for the state."""

    def __init__(self, home, clock):
        self.said = []
        self.ledger = Ledger(home, self.said.append)
        self.heard, self.seen = threading.Event(), None
        self.shared = SqliteSharedBudgets(self.ledger, price, clock=lambda: clock[0])
        self.shared.subscribe(self._receive)
        self.sequence = 0

    def _receive(self, seen):
        self.seen = seen
        if seen.sequence >= self.sequence:
            self.heard.set()

    def round(self, claims=None, **more):
        """Publish a message; the state after it."""
        self.sequence += 1
        self.heard.clear()
        self.shared.publish(SyncMessage(self.sequence, claims or {}, **more))
        assert self.heard.wait(PATIENCE)
        return self.seen

    def look(self):
        """The state in the file."""
        self.heard.clear()
        self.shared.look()
        assert self.heard.wait(PATIENCE)
        return self.seen


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    return open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})


@pytest.fixture
def part(home, clock):
    """Makes processes of one home, and ends them."""
    made = []

    def make():
        made.append(Part(home, clock))
        return made[-1]

    yield make
    for one in made:
        one.ledger.close()


def test_two_share_a_budget(part):
    """Each gets a part of the budget that is left, at least what it needs; each sees what the other spent."""
    one, two = part(), part()
    assert one.round(claim()).budgets[BOOK].held == LIMIT // 2
    seen = two.round(claim(needed=100)).budgets[BOOK]
    assert (seen.held, seen.others, seen.idle) == (100 + 400 // 4, 500, 500)
    one.round(claim(keep=50, running=50), finished=[((BOOK,), entry(1, 300))])
    seen = two.look().budgets[BOOK]
    assert (seen.spent, seen.idle) == (300, seen.others - 50)


def test_one_that_waits_is_seen(part):
    """A process that needs more than is left gets what is left; the others see that one waits."""
    one, two = part(), part()
    one.round(claim(keep=900, running=100))
    assert two.round(claim(needed=500)).budgets[BOOK].held < 500
    assert one.look().budgets[BOOK].wanted
    one.round(claim(keep=100, running=100))
    assert two.round(claim(needed=500)).budgets[BOOK].held >= 500
    assert not one.look().budgets[BOOK].wanted


def test_a_dead_process_holds_nothing(home, part):
    """The shares of a killed process are free with the next message of any other."""
    code = (
        "import os, sys, threading, time\n"
        "sys.path.insert(0, os.getcwd())\n"
        "from tests.store.shared.test_budgets import *\n"
        "one = Part(open_home(os.environ), [NOW])\n"
        "one.round(claim(keep=900))\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    environ = {**os.environ, "FAIRLEAD_HOME": str(home.path), "PYTHONWARNINGS": ""}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environ) as process:
        assert process.stdout.readline() == b"held\n"
        one = part()
        assert one.round(claim()).budgets[BOOK].others >= 900
        process.kill()
        process.wait(PATIENCE)
    assert one.round(claim()).budgets[BOOK] == one.seen.budgets[BOOK]._replace(others=0, held=LIMIT // 2)


def test_one_that_stands_still_holds_nothing_for_long(part, clock):
    """A process that wrote nothing for a minute holds nothing, whether its number is in use or not."""
    one, two = part(), part()
    one.round(claim(keep=800))
    assert two.round(claim()).budgets[BOOK].others >= 800
    clock[0] += 61
    assert two.round(claim()).budgets[BOOK].others == 0


def test_leaving(part, home):
    """A process that ends in good order leaves no row behind."""
    one = part()
    one.round(claim())
    one.shared.leave()
    one.ledger.close()
    db, _ = open_history(home)
    for table in ("guard_shares", "guard_processes"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    db.close()


@pytest.mark.parametrize(
    ("scope", "unit", "spent"),
    [
        (ALL, "usd", 111),
        (ALL, "tokens", 111),
        ("backend box", "usd", 11),
        ("account box/work", "usd", 10),
        ("account box/nobody", "usd", 0),
    ],
)
def test_a_budget_begins_with_what_the_history_has(home, part, scope, unit, spent):
    """Of its own scope, from midnight on."""
    ledger = Ledger(home, print)
    history = History(ledger, price, lambda: 30)
    for one in (
        entry(1, 1),
        entry(2, 10, account="work"),
        entry(3, 100, backend="other", account="work"),
        entry(4, 1000, at=DAY.start - 1),
    ):
        history.add(one)
    ledger.close()
    [view] = part().round(claim(scope, unit)).budgets.values()
    assert view.spent == spent


@pytest.mark.parametrize(
    ("scope", "unit", "found"),
    [
        (ALL, "usd", {("box", "free"): 2, ("other", "free"): 1}),
        ("backend other", "usd", {("other", "free"): 1}),
        ("account box/work", "usd", {("box", "free"): 1}),
        ("tag night", "usd", {}),
        (ALL, "tokens", {}),
    ],
)
def test_what_counts_in_no_budget(home, scope, unit, found):
    """The requests since midnight whose models have no price, of the scope of a budget in dollars."""
    ledger = Ledger(home, print)
    history = History(ledger, lambda one: price(one) if one.model == "dear" else (None, ""), lambda: 30)
    for number, model, fields in (
        (1, "free", {}),
        (2, "free", {"account": "work"}),
        (3, "free", {"backend": "other"}),
        (4, "dear", {}),
        (5, "free", {"at": DAY.start - 1}),
    ):
        history.add(msgspec.structs.replace(entry(number, 5, **fields), model=model))
    ledger.close()
    with open_reader(home) as db:
        assert budgets.read_not_counted(db, [Budget(scope, "day", unit, LIMIT)], NOW) == found


def test_what_counts_in_part(home):
    """Requests of which a part has no price are found by what that is, within the term of a budget in dollars."""
    ledger = Ledger(home, print)
    texts = {
        "a": "config.toml",
        "b": "genai 1, without the service tier x",
        "c": "config.toml, without the service tier x",
    }
    history = History(ledger, lambda one: (1, texts[one.model]), lambda: 30)
    for number, model in enumerate("aabbc"):
        history.add(msgspec.structs.replace(entry(number, 5), model=model))
    history.add(msgspec.structs.replace(entry(9, 5, at=NOW - 3 * 86_400), model="b"))
    ledger.close()
    with open_reader(home) as db:
        day = Budget(ALL, "day", "usd", LIMIT)
        assert budgets.read_partly_counted(db, [day], NOW) == {"the service tier x": 3}
        assert budgets.read_partly_counted(db, [day._replace(scope="backend other")], NOW) == {}
        assert budgets.read_partly_counted(db, [day._replace(unit="tokens")], NOW) == {}


def test_sums_beyond_64_bits(home, part):
    """A budget that begins with a history of the largest costs begins as spent; nothing fails."""
    ledger = Ledger(home, print)
    history = History(ledger, lambda one: (10**18, "test"), lambda: 30)
    for number in range(2000):
        history.add(entry(number, 10**9))
    ledger.close()
    one = part()
    state = one.round(claim(keep=10**19, running=10**19, needed=10**19))
    assert state.budgets[BOOK].spent == 2000 * 10**13
    assert one.ledger.dropped == 0


def test_a_request_that_waits_longest_is_served_first(part):
    """What is free is left to the process whose request waits for longer; an older version's wish holds nobody up."""
    one, two = part(), part()
    one.round(claim(keep=900, running=900))
    assert two.round(wish(800, NOW - 5)).budgets[BOOK].held == 50
    assert one.round(wish(500, NOW - 1, keep=300, running=300)).budgets[BOOK].held == 300
    assert two.round(wish(800, NOW - 5)).budgets[BOOK].held == 700
    assert one.round(wish(100, NOW - 1, keep=300, running=300)).budgets[BOOK].held == 300
    two.round(claim())
    assert one.round(wish(100, NOW - 1, keep=300, running=300)).budgets[BOOK].held > 400


def test_a_wish_of_an_older_version(home, part):
    """It has a 1 in place of a time."""
    one = part()
    one.round(claim(keep=100, running=100))
    with closing(connect(home.at("history.db"))) as db:
        beat = "INSERT INTO guard_processes VALUES ('old', ?, ?, 1)"
        db.execute(beat, (os.getpid(), NOW))
        db.execute("INSERT INTO guard_shares VALUES (?, 'old', 50, 0, 1)", (BOOK,))
        db.commit()
    assert one.round(wish(500, NOW - 1, keep=100, running=100)).budgets[BOOK].held >= 600


def test_rates_come_with_a_round(part):
    """For each model that was requested: what a million tokens cost, or None."""
    models = (("https://x", "known"),)
    assert part().round(claim(), models=models).rates == {models[0]: Rates(10**6, 10**6, 0, 0, 0)}
    unknown = part()
    unknown.shared._price = lambda entry: (None, "")
    assert unknown.round(claim(), models=models).rates == {models[0]: None}


def test_a_halt_is_shared_and_the_first_one_holds(part, clock):
    """All see it; another one of its scope changes nothing while it holds, and takes its place once it is over."""
    one, two = part(), part()
    first = Halt(ALL, NOW, NOW + 60, "first", "req_1")
    assert one.round(halts=[first]).halts == (first,)
    other = Halt("backend box", NOW, NOW + 60, "other", "req_2")
    later = Halt(ALL, NOW + 1, NOW + 61, "later", "req_3")
    assert {*two.round(halts=[later, other]).halts} == {first, other}
    assert {*one.look().halts} == {first, other}
    clock[0] = NOW + 60
    last = Halt(ALL, NOW + 60, NOW + 120, "last", "req_4")
    assert {*two.round(halts=[last]).halts} == {last, other}


def test_lifting(part):
    """It ends all halts, and the budgets that they were for count anew; others go on."""
    one = part()
    claims = {**claim(), **claim("backend box")}
    one.round(claims, finished=[(tuple(claims), entry(1, 700))])
    one.round(claims, halts=[Halt(ALL, NOW, NOW + 60, "why", "req_1", BOOK)])
    seen = one.round(claims, lift=True)
    assert seen.halts == ()
    assert [view.spent for view in seen.budgets.values()] == [0, 700]
    seen = one.round(claims, finished=[(tuple(claims), entry(2, 5))])
    assert [view.spent for view in seen.budgets.values()] == [5, 705]


def test_a_halt_is_on_the_disk_when_it_is_heard_of(home, part):
    """Another connection, as one after a crash would be, finds it; the file is synced at each commit."""
    halt = Halt(ALL, NOW, NOW + 60, "why", "req_1")
    part().round(halts=[halt])
    db = connect(home.at("history.db"))
    assert budgets.read_halts(db) == (halt,)
    db.close()
    writer, _ = open_history(home)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    writer.close()


@pytest.mark.parametrize("taken_up", [False, True])
@pytest.mark.parametrize(
    ("scope", "spent"),
    [(ALL, 120), ("backend box", 110), ("key team", 30), ("key team/a", 10), ("key other", 0)],
)
def test_the_spend_is_the_same_before_a_process_uses_the_budget(home, part, scope, spent, taken_up):
    """A reader sees what requests have cost before a guard has written it down, and the same once one has."""
    one = part()
    history = History(one.ledger, price, lambda: 30)
    for number, (tokens, backend, key) in enumerate(
        [(80, "box", ""), (20, "box", "team"), (10, "box", f"team{CHILD}a"), (10, "far", "")]
    ):
        history.add(msgspec.structs.replace(entry(number, tokens, backend=backend), key=key))
    history.add(entry(9, 500, at=NOW - 86_400))
    scope = scope.replace("/", CHILD)
    one.round(claim(scope) if taken_up else {})
    with open_reader(home) as db:
        budget = Budget(scope, "day", "usd", LIMIT)
        assert budgets.read_spent(db, [budget], NOW) == {budget: spent}


def test_the_spend_of_a_term(home, part):
    """What a guard has counted; a new term begins at nothing."""
    part().round(claim(), finished=[((BOOK,), entry(1, 42))])
    budget = Budget(ALL, "day", "usd", 7)
    with open_reader(home) as db:
        assert budgets.read_spent(db, [budget], NOW) == {budget: 42}
        assert budgets.read_spent(db, [budget], NOW + 86_400) == {budget: 0}


def test_a_file_that_cannot_be_used(tmp_path):
    """No state is given out, and `problem` says why."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    (folder / "history.db").mkdir()
    one = Part(open_home({"FAIRLEAD_HOME": str(folder)}), [NOW])
    one.sequence = 1
    one.shared.publish(SyncMessage(1, claim()))
    assert not one.heard.wait(0.5)
    assert one.shared.problem
    one.ledger.close()
