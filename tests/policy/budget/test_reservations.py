"""Several processes with one budget, at random: overspend is bounded, nothing is lost, no process starves."""

import itertools
import os
import random

from router.policy.budget.budgets import ALL, Budget, BudgetView, TokenCounts, compute_share
from router.policy.budget.reservations import Model, Need, Reservations, Size, estimate_size
from router.store.shared.budgets import waits_longer
from router.wire.costs.cost_traits import CostTraits

LIMIT = 100_000
BUDGET = Budget(ALL, "day", "tokens", LIMIT)
NOW = 1_795_219_200.0 + 3600
MODEL = Model("https://x", "m")


CLOCK = itertools.count()


def limited(size):
    """A request that may use so many tokens."""
    return Size(TokenCounts(input=size), limited=True)


class File:
    """What history.db does for the budget, in virtual time."""

    def __init__(self):
        self.spent = 0
        self.shares = {}

    def view(self, name):
        others = [share for other, share in self.shares.items() if other != name]
        return BudgetView(
            spent=self.spent,
            held=self.shares[name][0] if name in self.shares else 0,
            others=sum(held for held, _, _ in others),
            idle=sum(max(0, held - running) for held, running, _ in others),
            wanted=any(wanted for _, _, wanted in others),
        )

    def write(self, name, claims, booked):
        self.shares.pop(name, None)
        self.spent += booked
        for claim in claims.values():
            rows = [(*share, other) for other, share in self.shares.items()]
            since = max(1, int(claim.since * 1000))
            held = compute_share(
                limit=LIMIT,
                spent=self.spent,
                others=sum(held for held, _, _ in self.shares.values()),
                keep=claim.keep,
                needed=claim.needed,
                processes=len(self.shares) + 1,
                yields=waits_longer(rows, since if claim.needed else None, name, NOW),
            )
            wanted = since if claim.needed and held < claim.keep + claim.needed else 0
            self.shares[name] = (held, claim.running, wanted)


class Process:
    """One process: admits what its reservations allow, and writes the file in two steps, as a slow disk would."""

    def __init__(self, name, file):
        self.name, self.file, self.reservations = name, file, Reservations()
        self.sequence = self.count = 0
        self.running, self.waiting, self.flight = {}, {}, None
        self.unbooked = self.settled = self.dearest = 0

    def admit(self, size):
        """Let a request go if there is room; else it waits for the next round, behind none that waits already."""
        wanted = self.reservations.estimate([BUDGET], limited(size), None, MODEL, NOW)
        [(key, amount)] = wanted.amounts.items()
        if self.reservations.find_full(wanted):
            self.waiting = self.waiting or {key: Need(amount, NOW + next(CLOCK) / 1000)}
            return False
        self.waiting = {}
        state = self.reservations.states[key]
        # As far as it knows it fits, or nothing else runs; what it knows is what it heard last.
        known = state.view.spent + state.view.others + state.outstanding
        assert known + amount <= LIMIT or (known < LIMIT and not self.running and not state.view.others)
        self.count += 1
        self.reservations.reserve(str(self.count), wanted)
        self.running[str(self.count)] = amount
        self.dearest = max(self.dearest, amount)
        return True

    def retry(self):
        """The request that waits looks again."""
        for need in self.waiting.values():
            self.admit(need.amount)

    def finish(self, share):
        """A request ends, having used a share of what was reserved for it."""
        if not self.running:
            return
        name, amount = self.running.popitem()
        used = int(amount * share)
        assert self.reservations.settle(name, TokenCounts(output=used)) is not None
        self.unbooked += used
        self.settled += used

    def finish_all(self):
        """Nothing runs any more."""
        while self.running:
            self.finish(1.0)

    def begin(self, *, give_back=False):
        """A round sets out."""
        if self.flight is None:
            self.sequence += 1
            give_back = give_back and not self.running and not self.unbooked
            claims = self.reservations.begin(self.sequence, [BUDGET], self.waiting, give_back=give_back, now=NOW)
            self.flight, self.unbooked = (claims, self.unbooked), 0

    def end(self):
        """It is written, and heard of."""
        if self.flight is not None:
            claims, booked = self.flight
            self.flight = None
            self.file.write(self.name, claims, booked)
            self.receive()

    def round(self):
        """A whole round, after the one that may be under way."""
        self.end()
        self.begin()
        self.end()

    def receive(self):
        """What stands in the file is looked at."""
        sequence = self.sequence - (self.flight is not None)
        [key] = self.reservations.states or [None]
        self.reservations.receive(sequence, {key: self.file.view(self.name)} if key else {}, self.sequence)

    @property
    def out(self):
        """What it has reserved, or spent and not booked."""
        flying = self.flight[1] if self.flight is not None else 0
        return sum(self.running.values()) + self.unbooked + flying


WORDS = ("admit", "admit", "admit", "finish", "finish", "begin", "end", "round", "receive", "park")
HISTORIES = int(os.environ.get("GUARD_HISTORIES", "150"))


class History:
    """Four processes that do what chance says."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.file = File()
        self.processes = [Process(str(number), self.file) for number in range(4)]
        self.dearest = self.lost = self.settled = 0
        # Some spend little of what they reserve, some all of it; some ask for much at once.
        self.part, self.size = self.chance.choice((0.02, 0.5, 1.0)), self.chance.choice((100, 3000, 40_000))

    def step(self):
        """One event in one of them; now and then one dies."""
        one = self.chance.choice(self.processes)
        if self.chance.random() < 0.005:
            self.die(one)
            return
        word = self.chance.choice(WORDS)
        if word == "admit":
            one.admit(self.chance.randint(1, self.size))
        elif word == "finish":
            one.finish(self.chance.uniform(0, self.part))
        elif word == "park":
            one.begin(give_back=True)
        elif word == "round":
            one.round()
        else:
            getattr(one, word)()

    def die(self, one):
        """A process ends without a word; the next one that writes finds its share free."""
        self.lost += one.unbooked + (one.flight[1] if one.flight else 0)
        self.settled += one.settled
        self.dearest = max(self.dearest, one.dearest)
        self.file.shares.pop(one.name, None)
        self.processes[self.processes.index(one)] = Process(one.name, self.file)

    def check(self):
        """No more is out than the budget and one request, whichever process has it."""
        dearest = max(self.dearest, *(one.dearest for one in self.processes))
        assert self.file.spent + sum(one.out for one in self.processes) <= LIMIT + dearest


def test_overspend_is_bounded():
    """Booked, unbooked and reserved together never pass the budget by more than one request of all processes, however
    rounds, looks, ends and deaths of processes interleave; and what is booked is what was used, to the token."""
    for seed in range(HISTORIES):
        history = History(seed)
        for _ in range(400):
            history.step()
            history.check()
        for one in history.processes:
            one.round()
        used = history.settled + sum(one.settled for one in history.processes)
        assert history.file.spent == used - history.lost


def test_no_process_starves():
    """While less is spent than the budget, each process has room again after some rounds, whatever was; a
    request waits for 200 of them."""
    for seed in range(HISTORIES):
        history = History(seed)
        for _ in range(200):
            history.step()
        for one in history.processes:
            one.end()
        for one in history.processes:
            rounds = 0
            while not one.admit(10) and history.file.spent < LIMIT:
                rounds += 1
                assert rounds < 30
                for other in history.processes:
                    other.finish_all()
                    other.round()
                    if other is not one:
                        other.retry()


def test_a_request_that_waits_longest_goes_first():
    """While a large one waits in one process, small ones of the others leave it what is free, also when they come
    without end; it goes once none of those is running that were before it."""
    for seed in range(HISTORIES):
        chance = random.Random(seed)
        file = File()
        large, *others = processes = [Process(str(number), file) for number in range(3)]
        for one in (*others, *others):
            one.round()
            one.admit(chance.randint(1, LIMIT // 3))
        size = chance.choice((LIMIT // 2, LIMIT, 5 * LIMIT))
        turns = 0
        while file.spent < LIMIT and not large.admit(size):
            turns += 1
            assert turns < 60
            one = chance.choice(processes)
            if one is not large:
                one.admit(chance.randint(1, 1000))
                one.finish(chance.uniform(0, 0.1))
            one.round()
            large.round()


def test_a_request_goes_while_nothing_runs_and_something_is_left():
    """It may need many times what is left, in whichever process: it is never refused for what is only reserved."""
    for seed in range(HISTORIES):
        history = History(seed)
        for _ in range(100):
            history.step()
        for one in history.processes:
            one.end()
            one.finish_all()
            one.waiting = {}
            one.round()
        one = history.chance.choice(history.processes)
        for _ in range(4):
            if history.file.spent >= LIMIT or one.admit(10 * LIMIT):
                break
            for other in history.processes:
                other.round()
            one.round()
        else:
            raise AssertionError(f"history {seed}: refused with {LIMIT - history.file.spent} left")


def test_a_process_alone_needs_no_other():
    """With one process, room is asked for a few times only, and ends at the budget."""
    file = File()
    one = Process("a", file)
    rounds = 0
    while file.spent < LIMIT:
        if one.admit(100):
            one.finish(1.0)
        else:
            one.begin()
            one.end()
            rounds += 1
    assert rounds < 15
    assert file.spent == LIMIT


def test_estimates_follow_what_requests_use():
    """A request that used more is remembered at once, one that used less by and by."""
    reservations = Reservations()
    size = estimate_size(1000, CostTraits())

    def estimate():
        [amount] = reservations.estimate([BUDGET], size, None, MODEL, NOW).amounts.values()
        return amount

    def use(tokens):
        reservations.reserve("a", reservations.estimate([BUDGET], size, None, MODEL, NOW))
        reservations.settle("a", TokenCounts(output=tokens))

    assert estimate() == 2000
    use(6000)
    assert estimate() == 6000
    for _ in range(30):
        use(500)
    assert 500 <= estimate() < 520


def test_a_reservation_counts_where_it_was_made():
    """A request that ends after midnight counts for the day it was let go in, whose spend is counted until then."""
    reservations = Reservations()
    wanted = reservations.estimate([BUDGET], limited(10), None, MODEL, NOW)
    [before] = wanted.amounts
    reservations.reserve("a", wanted)
    reservations.begin(1, [BUDGET], {}, give_back=False, now=NOW + 86_400)
    assert len(reservations.states) == 2
    assert reservations.settle("a", TokenCounts(output=7)) == (before,)
    reservations.begin(2, [BUDGET], {}, give_back=False, now=NOW + 86_400)
    reservations.receive(2, {key: BudgetView() for key in reservations.states}, 2)
    reservations.begin(3, [BUDGET], {}, give_back=False, now=NOW + 86_400)
    assert before not in reservations.states


def test_other_limits():
    """After a change of the settings nothing that was granted before is used."""
    file = File()
    one = Process("a", file)
    one.begin()
    one.end()
    assert one.admit(10)
    one.reservations.withdraw()
    assert not one.admit(10)
