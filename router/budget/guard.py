"""The guard of one process: may a request go, what did it cost, and what is halted.

Rules of this file: a request waits only while its process does not know enough: nothing was heard for LOOK_SECONDS, a
model's price or a share of a budget is missing, a halt is on its way to the disk. All else happens in rounds beside
the requests. Nobody is refused by a halt before it was read back from the disk. Where history.db cannot be used, each
process counts on by itself. Without rules nothing runs.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import trio

from router.budget.sync import Rounds
from router.errors import Halted
from router.host.notify import notify
from router.policy.budget import guard as policy
from router.policy.budget.budgets import ALL, Budget, Purse, Rates
from router.policy.budget.guard import Halt, Rules
from router.policy.budget.price_cache import Pricelist
from router.policy.budget.reservations import Model, Tally, Wanted, by_size
from router.policy.routing.table import DEMO
from router.settings import Settings
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry, Priced
from router.store.shared.budgets import Round, Seen, sold_of
from router.telemetry.recorder import BYTES_PER_TOKEN
from router.wire.calls import spends

#: How long a request waits for running ones to cost less than was reserved for them, before it trips a budget.
SETTLE_SECONDS = 20.0
_AGAIN_SECONDS = 0.1
_PENDING = 10_000


class Demand(NamedTuple):
    """What one attempt of a request asks the guard for."""

    #: Id of the request.
    request: str
    backend: str
    account: str
    tag: str
    #: URL of the backend, by which its prices are found.
    root: str
    #: As it is sent.
    model: str
    method: str
    #: Canonical, beginning with /v1.
    path: str
    #: True when a model answers, so that tokens are spent.
    generates: bool
    #: Bytes of the body.
    size: int


class Guard:
    """The guard of one proxy. price: what a request cost, for the ledger's thread. say: a line for the user."""

    def __init__(
        self,
        ledger: Ledger,
        price: Callable[[HistoryEntry], Priced],
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.time,
    ):
        self.rules: Rules | None = None
        self.halts: tuple[Halt, ...] = ()
        self._rounds = Rounds(self, ledger, price, clock=clock)
        self._say = say
        self._clock = clock
        self._tally = Tally()
        self._prices = Pricelist()
        self._waiting: dict[int, Wanted] = {}
        self._finished: list[tuple[Sequence[str], HistoryEntry]] = []
        self._halting: dict[str, Halt] = {}
        self._warnings: dict[str, Halt] = {}
        self._near: set[str] = set()
        self._lift = False
        self._nursery: trio.Nursery | None = None
        self._handed: tuple[Halt, ...] = ()
        #: Set when a request with a reservation has ended.
        self._ended = trio.Event()

    def take(self, settings: Settings) -> None:
        """Guard as these settings say from now on."""
        before, self.rules = self.rules, policy.rules_of(settings)
        self._prices.forget()
        if before != self.rules:
            # What was held of other limits says nothing: it is asked for anew.
            self._tally.withdraw()
            self._rounds.wake()

    # On the request path

    async def admit(self, demand: Demand, rules: Rules, wait: Callable[[float], None]) -> None:
        """Let a request go, with a reservation. wait: is told before a wait how many seconds it may take.

        Raises Halted.
        """
        self._tally.release(demand.request)
        await (self._rounds.over() if self._halting else self.current())
        scopes = policy.scopes_of(demand.backend, demand.account, demand.tag)
        self._check(scopes)
        budgets = rules.budgets_of(scopes)
        if not budgets:
            return
        rates = await self._priced(demand, rules) if any(one.unit == "usd" for one in budgets) else None
        if demand.generates:
            await self._reserve(demand, scopes, budgets, rates, wait)
            self._rounds.wake()

    def finished(self, entry: HistoryEntry) -> None:
        """A request has ended: what it used takes the place of its reservation."""
        rules = self.rules
        if rules is None:
            return
        sold = sold_of(entry)
        books = self._tally.settle(entry.id, sold)
        if books is None and entry.attempts:
            budgets = rules.budgets_of(policy.scopes_of(entry.backend, entry.account, entry.tag))
            rates = self._prices.rates((entry.root, entry.served or entry.model))
            books = self._tally.count(budgets, sold, rates, self._clock())
        elif books is not None:
            self._ended.set()
            self._ended = trio.Event()
        if books and len(self._finished) < _PENDING:
            self._finished.append((books, entry))
            self._rounds.wake()

    def billed(self, rules: Rules, billing: str, backend: str, account: str, request: str) -> None:
        """A request was billed to a class, '' when nobody said so."""
        if billing and billing.lower() not in rules.billing:
            self._trip(rules, ALL, policy.billed_elsewhere(billing, backend, account, rules.billing), request)

    def _check(self, scopes: Sequence[str]) -> None:
        halt = self.held(*scopes)
        if halt is not None:
            refusal = _refusal(policy.refusal(halt, self._clock()), "halted")
            refusal.scope, refusal.reason = halt.scope, halt.reason
            raise refusal

    async def _priced(self, demand: Demand, rules: Rules) -> Rates | None:
        """What the model costs. Raises Halted for what cannot be counted in dollars, where that is refused."""
        refuses = rules.refuse_unpriced and demand.backend != DEMO
        if refuses and spends(demand.path, demand.method):
            raise _refusal(policy.uncounted(demand.path), "unpriced")
        if not demand.generates:
            return None
        model = (demand.root, demand.model)
        if self._prices.ask(model, self._clock()):
            await self._rounds.over()
        rates = self._prices.rates(model)
        if rates is None and refuses:
            raise _refusal(policy.unpriced(demand.model, demand.backend), "unpriced")
        return rates

    async def _reserve(
        self,
        demand: Demand,
        scopes: Sequence[str],
        budgets: Sequence[Budget],
        rates: Rates | None,
        wait: Callable[[float], None],
    ) -> None:
        """Wait until there is room for a request, or until it is known that there is none."""
        size = by_size(demand.size, bytes_per_token=BYTES_PER_TOKEN)
        model: Model = (demand.root, demand.model)
        patience = trio.current_time() + SETTLE_SECONDS
        while (rules := self.rules) is not None:
            wanted = self._tally.wanted(budgets, size, rates, model, self._clock())
            short = self._tally.short(wanted)
            if short and (rules.halts or not all(self._tally.purses[book].known for book in short)):
                await self._shared(wanted)
                self._check(scopes)
                short = self._tally.short(wanted)
            if not short:
                break
            purse = self._tally.purses[short[0]]
            if purse.may_open and trio.current_time() < patience:
                wait(2 * SETTLE_SECONDS)
                await self._settled()
                continue
            reason = policy.tripped(purse, self._clock())
            self._trip(rules, purse.budget.scope, reason, demand.request, short[0])
            if not rules.halts:
                break
            await self._rounds.over()
            self._check(scopes)
        else:
            return
        self._tally.reserve(demand.request, wanted)

    async def _shared(self, wanted: Wanted) -> None:
        """Ask for a share that this request fits in."""
        self._waiting[id(wanted)] = wanted
        try:
            await self._rounds.over()
        finally:
            del self._waiting[id(wanted)]

    async def _settled(self) -> None:
        """Wait until a request has ended here, or may have elsewhere."""
        with trio.move_on_after(_AGAIN_SECONDS):
            await self._ended.wait()

    def _trip(self, rules: Rules, scope: str, reason: str, request: str, book: str = "") -> None:
        now = self._clock()
        halt = Halt(scope, now, now + rules.cooldown, reason, request, book)
        held = self._halting if rules.halts else self._warnings
        known = held.get(scope) or policy.held_up(self.halts, (scope,), now)
        if known is not None and known.holds(now):
            return
        held[scope] = halt
        self._rounds.wake()
        words = f"halted until {policy.clock(halt.until, now)}" if rules.halts else "warning"
        self._notice(rules, f"{words}: {reason}")

    def _notice(self, rules: Rules, text: str) -> None:
        self._say(f"guard: {text}")
        if rules.notify and self._nursery is not None:
            self._nursery.start_soon(notify, f"fairlead guard: {text}")

    # What the operator sees and does

    def held(self, *scopes: str) -> Halt | None:
        """The halt that a request of these scopes meets, as far as this process has heard."""
        if self.rules is None or not self.rules.halts:
            return None
        return policy.held_up(self.halts, scopes, self._clock())

    def purses(self, scope: str) -> Sequence[Purse]:
        """The budgets of a scope, as far as any was asked for."""
        return self._tally.of(scope)

    async def current(self) -> None:
        """Wait until what is known is not older than LOOK_SECONDS."""
        if self.rules is not None:
            await self._rounds.current()

    def status(self) -> dict[str, object]:
        """Fields: state (off, running, warned, halted); of the halt: scope, since, until (seconds since 1970), reason,
        request, null while there is none; halts, all of them; budgets: scope, period, unit, limit, spent, reserved,
        renews."""
        rules = self.rules
        if rules is None:
            return {"state": "off", **policy.halt_fields(None), "halts": [], "budgets": []}
        now = self._clock()
        halts = [halt for halt in self.halts if rules.halts and halt.holds(now)]
        shown = halts or [warning for warning in self._warnings.values() if warning.holds(now)]
        purses = self._tally.purses
        state = policy.state_of(halts, shown, (purse.share for purse in purses.values()), now)
        return {
            "state": state,
            **policy.halt_fields(shown[0] if shown else None),
            "halts": [policy.halt_fields(halt) for halt in halts],
            "budgets": policy.budget_lines(purses),
        }

    async def resume(self) -> list[dict[str, object]]:
        """End all halts; gives those that held. A budget that was used up counts from here."""
        await self._rounds.over()
        now = self._clock()
        held = [halt for halt in self.halts if halt.holds(now)]
        self._lift = True
        self._warnings.clear()
        await self._rounds.over()
        return [policy.halt_fields(halt) for halt in held]

    # Its part in the rounds

    async def run(self) -> None:
        """Take part in rounds until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                await self._rounds.run()
        finally:
            self._nursery = None

    @property
    def active(self) -> bool:
        """False while there is nothing to guard."""
        return self.rules is not None

    @property
    def restless(self) -> bool:
        """True when there is something to tell the others, not only to hear of them."""
        news = self._finished or self._waiting or self._halting or self._prices.wants or self._lift
        return bool(news) or self._tally.restless

    @property
    def busy(self) -> bool:
        """True while requests hold reservations."""
        return self._tally.running > 0

    @property
    def holds(self) -> bool:
        """True when shares of budgets are held that no request needs."""
        return self._tally.idle

    def tell(self, turn: int, *, give_back: bool) -> Round:
        """What the others are to hear."""
        budgets = self.rules.budgets if self.rules is not None else ()
        now = self._clock()
        claims = self._tally.begin(turn, budgets, self._waiting.values(), give_back=give_back, now=now)
        self._handed = tuple(self._halting.values())
        found = Round(turn, claims, self._finished, self._handed, self._prices.asked(), self._lift)
        self._finished, self._lift = [], False
        return found

    def hear(self, seen: Seen, turn: int) -> None:
        """What stands in the file."""
        self.halts = seen.halts
        if seen.turn >= turn:
            for halt in self._handed:
                if self._halting.get(halt.scope) is halt:
                    del self._halting[halt.scope]
        self._prices.hear(seen.rates, self._clock())
        self._tally.heard(seen.turn, seen.books, turn)
        self._look_near()

    def _look_near(self) -> None:
        """Say once of each budget that it is nearly used up."""
        for book, purse in self._tally.purses.items():
            if purse.share >= policy.WARN_SHARE and book not in self._near and self.rules is not None:
                self._near.add(book)
                self._notice(self.rules, policy.nearly_used(purse))
        self._near &= self._tally.purses.keys()

    def go_on_alone(self) -> None:
        """history.db cannot be used: halts and spend are this process's own."""
        self.halts = (*self.halts, *self._halting.values())
        self._halting.clear()
        self._tally.alone(lift=self._lift)
        if self._lift:
            self.halts, self._lift = (), False


def _refusal(text: str, error: str) -> Halted:
    refusal = Halted(text)
    refusal.word = error
    return refusal
