"""A team of proxies in virtual time: the real guards, rounds and scripts over a network that loses what it is told to.

Each process has a guard (router/budget), its rounds (router/store/team) and a clock of its own; its requests come at
random. What the providers have charged is counted apart, by an oracle that no fault reaches.
"""

import contextlib
import math
import random
import time
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import trio
import trio.testing

from router.budget.demand import Demand
from router.budget.guard import Guard
from router.errors import BudgetBusy, Halted
from router.policy.budget.budgets import ALL, Budget
from router.policy.budget.guard import Rules
from router.settings import Settings
from router.settings.declaring.shared import find_zone
from router.store.history.entry import ENTRY_TYPE
from router.store.team import round as rounds_module
from router.store.team.breaker import Breaker
from router.store.team.budgets import TeamSharedBudgets
from router.store.team.client import COMMAND_SECONDS, Unreachable
from router.store.team.kept_halts import KeptHalts
from router.store.team.keys import KeyNames
from router.store.team.round import Rounds
from router.wire.costs.cost_traits import CostTraits

from .server import VirtualServer

#: Noon, so that no day ends.
BEGIN = 1_796_126_400.0
UTC = find_zone("UTC")
_BLANK = {one.name: None for one in msgspec.structs.fields(ENTRY_TYPE) if one.required}


class Plan(NamedTuple):
    """What is simulated. Times are seconds."""

    processes: int = 20
    keys: int = 50
    #: Tokens a day, of all traffic and of each key.
    limit: int = 2_000_000
    key_limit: int = 200_000
    #: Requests a second of each process, and how long one takes.
    rate: float = 0.5
    duration: float = 4.0
    #: Tokens that a request may have and mostly has not.
    most: int = 6000
    seconds: float = 60.0
    #: One way, and the share of replies that are lost.
    latency: float = 0.01
    lost: float = 0.0
    #: Clocks are wrong by up to so much.
    skew: float = 0.0
    #: (begin, end, share of the processes) that cannot reach the server.
    partitions: tuple[tuple[float, float, float], ...] = ()
    #: (begin, end) in which the server answers nothing.
    outages: tuple[tuple[float, float], ...] = ()
    #: When the server loses all data.
    flushes: tuple[float, ...] = ()
    #: (when, by how much) it goes on from older data.
    failovers: tuple[tuple[float, float], ...] = ()
    #: (when, how many) processes are killed, and start again after five seconds.
    kills: tuple[tuple[float, int], ...] = ()
    on_loss: str = "refuse"
    #: How much of its work the server needs time for: 0.0 for a server of any speed.
    work: float = 1.0
    seed: int = 1


class Book:
    """What providers have charged to one budget."""

    def __init__(self, limit):
        self.limit = limit
        self.spent = self.running = 0
        #: The most that was spent, and spent or running, beyond the limit.
        self.over = self.over_with_running = 0
        #: The largest request that ran.
        self.largest = 0
        #: Spend of processes that were killed before they told it.
        self.untold = 0
        #: Spend of processes while they could not reach the server.
        self.alone = 0
        #: When the server had its halt, and the last admission of a process that reached the server after that.
        self.halted_at = math.inf
        self.last_admitted = 0.0

    def begin(self, most):
        self.running += most
        self.largest = max(self.largest, most)
        self.over_with_running = max(self.over_with_running, self.spent + self.running - self.limit)

    def end(self, most, used):
        self.running -= most
        self.spent += used
        self.over = max(self.over, self.spent - self.limit)


class Oracle:
    """All books, and the counts of a run."""

    def __init__(self, plan):
        self._plan = plan
        self.books = {}
        self.admitted = self.refused = self.busy = self.finished = 0
        #: Seconds that requests waited before they were sent.
        self.waits = []

    def book(self, scope):
        """The book of a scope."""
        known = self.books.get(scope)
        if known is None:
            limit = self._plan.limit if scope == ALL else self._plan.key_limit
            known = self.books[scope] = Book(limit)
        return known


class SimThread:
    """The thread of a process for its calls, as a task: each takes the way to the server and back."""

    def __init__(self, world, process):
        self._world, self._process = world, process
        self._jobs = []
        self._wake = trio.Event()
        self.deliveries = []

    def submit(self, job):
        self._jobs.append(job)
        self._wake.set()

    def prepare(self, job):
        job()  # it reads the home's files: no way to the server

    def submit_later(self, seconds, job):
        def submit():
            self.submit(job)

        self._process.later(seconds, submit)

    async def run(self):
        while True:
            self._wake = trio.Event()
            while self._jobs:
                job = self._jobs.pop(0)
                self._process.sent_at = trio.current_time()
                await trio.sleep(self._world.way())
                try:
                    job()
                except Unreachable:
                    if self._process.client.waited:
                        await trio.sleep(COMMAND_SECONDS)
                else:
                    await trio.sleep(self._process.client.queued + self._world.way())
                found, self.deliveries = self.deliveries, []
                for deliver in found:
                    deliver()
            await self._wake.wait()


class SimClient:
    """The calls of one process, behind the real breaker."""

    def __init__(self, world, process):
        self._world, self._process = world, process
        self.breaker = Breaker(clock=trio.current_time, now=process.clock)
        #: The last call took its deadline; or so many seconds, until the server had done what came before and itself.
        self.waited = False
        self.queued = 0.0

    def execute(self, *words):
        return self._call(lambda server: server.execute(*words))

    def run(self, script, keys, values):
        return self._call(lambda server: server.run(script.source, keys, values))

    def _call(self, call):
        world = self._world
        self.waited = False
        if not self.breaker.admit():
            raise Unreachable(self.breaker.reason)
        if not world.reaches(self._process):
            self._fail()
        found, self.queued = world.serve(call)
        if self.queued > COMMAND_SECONDS or world.dice.random() < world.plan.lost:
            self._fail()
        self.breaker.succeed()
        return found

    def _fail(self):
        self.waited = True
        self.breaker.fail("no answer")
        raise Unreachable("no answer")


class SimBudgets(TeamSharedBudgets):
    """The shared budgets of a process, whose home's history is a table."""

    def subscribe(self, receive):
        def deliver(state):
            self._thread.deliveries.append(lambda: receive(state))

        super().subscribe(deliver)

    def _read_history(self, claim):
        return self._ledger.sums.get(claim.budget.scope, 0)


class Home:
    """The history of one home, what its processes have recorded, and its files."""

    def __init__(self):
        self.sums = {}
        self.files = {}

    def read(self, path):
        return self.files.get(path)

    def write(self, path, data):
        self.files[path] = data

    def start(self):
        """Nothing: there is no thread."""

    def flush(self, seconds):
        return True


class Process:
    """One proxy."""

    def __init__(self, world, number, home):
        self._world = world
        self.number = number
        self.home = home
        self.skew = world.dice.uniform(-world.plan.skew, world.plan.skew)
        self.sent_at = 0.0
        self.ended = False
        self.client = SimClient(world, self)
        self.thread = SimThread(world, self)
        names = KeyNames("team")
        rounds = Rounds(self.client, names, f"home{number}", clock=self.clock)
        settings = Settings(shared_on_loss=world.plan.on_loss)
        halts, price = KeptHalts(home, lambda text: None), lambda entry: (None, "")
        self.shared = SimBudgets(
            home, price, rounds, self.client, self.thread, lambda: settings, halts, clock=self.clock
        )
        self.guard = Guard(self.shared, lambda text: None, clock=self.clock)
        self.guard.rules = world.rules
        self.scope = trio.CancelScope()
        self._nursery = None
        self._requests = 0

    def clock(self):
        """Seconds since 1970 by its own clock, which is wrong."""
        return BEGIN + trio.current_time() + self.skew

    def later(self, seconds, job):
        """Have a job run once."""

        async def wait():
            await trio.sleep(seconds)
            job()

        self._nursery.start_soon(wait)

    async def run(self):
        """Serve until it is killed."""
        with self.scope:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self.guard.run)
                self._nursery.start_soon(self.thread.run)
                while True:
                    await trio.sleep(self._world.dice.expovariate(self._world.plan.rate))
                    self._nursery.start_soon(self._serve)

    async def _serve(self):
        world, plan = self._world, self._world.plan
        dice, oracle = world.dice, world.oracle
        self._requests += 1
        name = f"{self.number}.{id(self)}.{self._requests}"
        key = f"k{int(plan.keys * dice.random() ** 2)}"
        read, most = dice.randrange(plan.most // 3), dice.randrange(1, plan.most)
        traits = CostTraits(output=most)
        demand = Demand(
            name, "box", "main", "", "", "m", "POST", "/v1/messages", True, read, traits=traits, left=30.0, key=key
        )
        begun = trio.current_time()
        try:
            await self.guard.admit(demand, world.rules, lambda seconds: None)
        except BudgetBusy:
            oracle.busy += 1
            return
        except Halted:
            oracle.refused += 1
            return
        oracle.admitted += 1
        oracle.waits.append(trio.current_time() - begun)
        books = [oracle.book(ALL), oracle.book(f"key {key}")]
        for book in books:
            book.begin(read + most)
            if world.reaches(self) and self.client.breaker.problem is None and trio.current_time() > book.halted_at:
                book.last_admitted = trio.current_time()
        used = read + int(most * dice.random())
        told, alone = False, not world.reaches(self)
        try:
            await trio.sleep(dice.expovariate(1 / plan.duration))
            entry = ENTRY_TYPE(
                **{
                    **_BLANK,
                    "id": name,
                    "started": begun,
                    "method": "POST",
                    "path": "/v1/messages",
                    "model": "m",
                    "backend": "box",
                    "account": "main",
                    "key": key,
                    "attempts": 1,
                    "status": 200,
                    "tokens_in": read,
                    "tokens_out": used - read,
                }
            )
            self.guard.finished(entry)
            for scope in (ALL, f"key {key}"):
                self.home.sums[scope] = self.home.sums.get(scope, 0) + used
            told = True
        finally:
            # What a killed process had sent is charged all the same.
            oracle.finished += 1
            for book in books:
                book.end(read + most, used)
                if not told:
                    book.untold += used
                elif alone or not world.reaches(self):
                    book.alone += used


class World:
    """One run of a plan."""

    def __init__(self, plan):
        self.plan = plan
        self.dice = random.Random(plan.seed)
        self.oracle = Oracle(plan)
        self.server = VirtualServer(lambda: BEGIN + trio.current_time())
        self.rules = make_rules(plan)
        self.processes = []
        self.homes = [Home() for _ in range(plan.processes)]
        self._nursery = None
        self.busy_until = 0.0
        #: By second: the seconds of work of the server, and the calls that came.
        self.load, self.calls = {}, {}
        #: Seconds from a halt on the server to each process that is busy and reaches it.
        self.known_after = []

    def way(self):
        """How long the way to the server takes."""
        return self.plan.latency * self.dice.uniform(0.5, 2.0)

    def serve(self, call):
        """The answer to a call, and when the server has it: it does one after the other."""
        before, now = self.server.work, trio.current_time()
        found = call(self.server)
        needed = self.server.work - before
        self.busy_until = max(now, self.busy_until) + self.plan.work * needed
        second = int(now)
        self.load[second] = self.load.get(second, 0.0) + needed
        self.calls[second] = self.calls.get(second, 0) + 1
        return found, self.busy_until - now

    def reaches(self, process):
        """True when what a process sends now reaches the server."""
        if not self.server.up:
            return False
        now = trio.current_time()
        share = process.number / self.plan.processes
        return not any(begin <= now < end and share < part for begin, end, part in self.plan.partitions)

    def run(self):
        """Run to the end; this world, to be looked at."""
        rounds_module.time = SimpleNamespace(monotonic=trio.current_time, time=None)
        begun = time.process_time()
        try:
            trio.run(self._main, clock=trio.testing.MockClock(autojump_threshold=0))
        finally:
            rounds_module.time = time
        self.seconds = time.process_time() - begun
        return self

    async def _main(self):
        with trio.move_on_after(self.plan.seconds):
            async with trio.open_nursery() as self._nursery:
                for number in range(self.plan.processes):
                    self._start(number)
                self._nursery.start_soon(self._watch)
                for begin, end in self.plan.outages:
                    self._nursery.start_soon(self._cut, begin, end)
                for moment in self.plan.flushes:
                    self._nursery.start_soon(self._lose, moment, 0.0)
                for moment, age in self.plan.failovers:
                    self._nursery.start_soon(self._lose, moment, age)
                for moment, count in self.plan.kills:
                    self._nursery.start_soon(self._kill, moment, count)
                await trio.sleep_forever()

    def _start(self, number):
        process = Process(self, number, self.homes[number])
        self.processes.append(process)
        self._nursery.start_soon(process.run)

    async def _watch(self):
        """Note when the server has a halt first, and when those that are busy know."""
        open_halts = {}
        while True:
            await trio.sleep(0.02)
            found = self.server.execute("HGETALL", "fl:{team}:halts")
            now = trio.current_time()
            for scope in (one.decode() for one in found[::2]):
                book = self.oracle.book(scope)
                if book.halted_at > now:
                    book.halted_at = now
                    open_halts[scope] = {
                        one
                        for one in self.processes
                        if one.guard.busy and self.reaches(one) and not one.client.breaker.failing_since
                    }
            for scope, missing in open_halts.items():
                knowing = {one for one in missing if any(halt.scope == scope for halt in one.guard.halts)}
                self.known_after += [now - self.oracle.book(scope).halted_at] * len(knowing)
                # One that ended its requests looks again before the next one.
                open_halts[scope] = {
                    one for one in missing - knowing if one.guard.busy and self.reaches(one) and not one.ended
                }

    async def _cut(self, begin, end):
        await trio.sleep(begin)
        self.server.up = False
        await trio.sleep(end - begin)
        self.server.up = True

    async def _lose(self, moment, age):
        await trio.sleep(moment - age)
        state = self.server.copy() if age else None
        await trio.sleep(age)
        if state is None:
            self.server.flush()
        else:
            self.server.restore(state)

    async def _kill(self, moment, count):
        await trio.sleep(moment)
        running = [one for one in self.processes if not one.ended]
        for process in self.dice.sample(running, count):
            process.ended = True
            process.guard.run = None
            process.shared._rounds.leave = _die
            process.scope.cancel()
            self.processes.remove(process)
            with contextlib.suppress(trio.Cancelled):
                self._nursery.start_soon(self._start_again, process.number)

    async def _start_again(self, number):
        await trio.sleep(5)
        self._start(number)


def _die():
    """A killed process gives nothing back."""


def make_rules(plan):
    """The budgets of a plan, the same objects for all processes."""
    budgets = [Budget(ALL, "day", "tokens", plan.limit, zone=UTC)]
    budgets += [Budget(f"key k{number}", "day", "tokens", plan.key_limit, zone=UTC) for number in range(plan.keys)]
    return Rules(
        halts=True, cooldown=1800.0, refuse_unpriced=False, billing=frozenset(), budgets=tuple(budgets), patience=20.0
    )
