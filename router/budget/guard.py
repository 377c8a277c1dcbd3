"""The guard of one process: admits requests within budgets, counts what they cost, and knows what is halted.

Rules of this file: a request waits only while its process does not know enough: no state was received for LOOK_SECONDS,
a model's price or a share of a budget is missing, a halt is being written to the store. All else is exchanged while
requests run. A halt refuses requests only after it was read back from the store. Where the store cannot be used, each
process goes on counting by itself. Without rules nothing runs.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import trio

from router.budget.sync import BudgetSync
from router.errors import Halted
from router.host.notify import notify
from router.operator_api.guard import GuardStatus, HaltReport, report_guard, report_halt, report_not_counted
from router.policy.budget import guard as policy
from router.policy.budget.budgets import ALL, Budget, BudgetState, Rates, TokenCounts
from router.policy.budget.guard import Halt, Rules
from router.policy.budget.price_cache import PriceCache
from router.policy.budget.reservations import Estimate, Model, Reservations, estimate_tokens
from router.policy.routing.table import DEMO
from router.settings import Settings
from router.store.history.entry import HistoryEntry
from router.store.interfaces import SharedBudgets, SharedState, SyncMessage
from router.store.shared.budgets import count_tokens
from router.telemetry.recorder import BYTES_PER_TOKEN
from router.wire.calls import is_free

#: How long a request without room waits for running ones to end, which may cost less than their reservations, before
#: it trips a budget.
SETTLE_SECONDS = 20.0
_AGAIN_SECONDS = 0.1
_PENDING = 10_000
# The names of models come from callers, so there may be any number of them.
_UNPRICED_LIMIT = 100


class Demand(NamedTuple):
    """The values of one attempt of a request that the guard decides by."""

    #: Id of the request.
    request: str
    backend: str
    account: str
    tag: str
    #: The URL by which the backend's prices are found, '' when nobody bills it.
    root: str
    #: As it is sent upstream.
    model: str
    method: str
    #: Canonical, beginning with /v1.
    path: str
    #: True when a model answers, so that tokens are spent.
    generates: bool
    #: Bytes of the body.
    size: int
    #: True when the provider says in each answer what it charged, so that no price is needed to count it.
    tells_charge: bool = False


class Guard:
    """The guard of one proxy. shared: what all processes have in common. say: where a line for the user goes."""

    def __init__(self, shared: SharedBudgets, say: Callable[[str], None], *, clock: Callable[[], float] = time.time):
        self.rules: Rules | None = None
        self.halts: tuple[Halt, ...] = ()
        self._shared = shared
        self._sync = BudgetSync(self, shared)
        self._say = say
        self._clock = clock
        self._reservations = Reservations()
        self._prices = PriceCache()
        self._waiting: dict[int, Estimate] = {}
        self._finished: list[tuple[Sequence[str], HistoryEntry]] = []
        self._halting: dict[str, Halt] = {}
        self._warnings: dict[str, Halt] = {}
        self._near: set[str] = set()
        self._not_counted: dict[tuple[str, str], int] = {}
        self._lift = False
        self._nursery: trio.Nursery | None = None
        self._published_halts: tuple[Halt, ...] = ()
        #: Set when a request with a reservation has ended.
        self._ended = trio.Event()

    def apply(self, settings: Settings) -> None:
        """Apply the rules of these settings from now on."""
        before, self.rules = self.rules, policy.read_rules(settings)
        self._prices.forget()
        if before != self.rules:
            # Shares of budgets with other limits are not valid any more: they are requested anew.
            self._reservations.withdraw()
            self._sync.wake()

    # On the request path

    async def admit(self, demand: Demand, rules: Rules, wait: Callable[[float], None]) -> None:
        """Admit a request, with a reservation. wait: called before a wait with the seconds that it may take.

        Raises Halted.
        """
        self._reservations.release(demand.request)
        await (self._sync.next_exchange() if self._halting else self.current())
        scopes = policy.list_scopes(demand.backend, demand.account, demand.tag)
        self._check(scopes)
        budgets = rules.budgets_of(scopes)
        if not budgets:
            return
        rates = await self._find_rates(demand, rules) if any(one.unit == "usd" for one in budgets) else None
        if demand.generates:
            await self._reserve(demand, scopes, budgets, rates, wait)
            self._sync.wake()

    def finished(self, entry: HistoryEntry) -> None:
        """Replace the reservation of a request that has ended by what it used."""
        rules = self.rules
        if rules is None:
            return
        counts = count_tokens(entry)
        keys = self._reservations.settle(entry.id, counts, entry.charge)
        budgets = rules.budgets_of(policy.list_scopes(entry.backend, entry.account, entry.tag))
        model: Model = (entry.root, entry.served_model)
        if entry.root and self._prices.lacks(model) and any(one.unit == "usd" for one in budgets):
            self._note_not_counted(entry, counts)
        if keys is None and entry.attempts:
            rates = self._prices.rates(model)
            keys = self._reservations.count(budgets, counts, rates, self._clock(), entry.charge)
        elif keys is not None:
            self._ended.set()
            self._ended = trio.Event()
        if keys and len(self._finished) < _PENDING:
            self._finished.append((keys, entry))
            self._sync.wake()

    def _note_not_counted(self, entry: HistoryEntry, counts: TokenCounts) -> None:
        """Note a request whose model has no price, unless no budget in US dollars has to count it."""
        key = (entry.backend, entry.served_model)
        costs = any(counts) and entry.charge is None and entry.backend != DEMO
        if costs and (key in self._not_counted or len(self._not_counted) < _UNPRICED_LIMIT):
            self._not_counted[key] = self._not_counted.get(key, 0) + 1

    def billed(self, rules: Rules, billing: str, backend: str, account: str, request: str) -> None:
        """Check the class that a request was billed to; '' when the answer named none."""
        if billing and billing.lower() not in rules.billing:
            self._trip(rules, ALL, policy.explain_billing(billing, backend, account, rules.billing), request)

    def _check(self, scopes: Sequence[str]) -> None:
        halt = self.held(*scopes)
        if halt is not None:
            state = self._reservations.states.get(halt.budget_key)
            refusal = _make_refusal(policy.explain_refusal(halt, self._clock(), state), "halted")
            refusal.scope, refusal.reason = halt.scope, halt.reason
            raise refusal

    async def _find_rates(self, demand: Demand, rules: Rules) -> Rates | None:
        """The prices of the model. Raises Halted for a request whose cost cannot be counted, where that is refused."""
        refuses = rules.refuse_unpriced and demand.backend != DEMO
        if refuses and not (demand.generates or is_free(demand.path, demand.method)):
            raise _make_refusal(policy.explain_uncounted(demand.path), "unpriced")
        if not demand.generates:
            return None
        model = (demand.root, demand.model)
        if self._prices.ask(model, self._clock()):
            await self._sync.next_exchange()
            if not self._prices.knows(model, self._clock()):
                # The store cannot be used: without a price the process would count nothing by itself.
                found = await trio.to_thread.run_sync(self._shared.find_rates, model)
                self._prices.receive({model: found}, self._clock())
        rates = self._prices.rates(model)
        if rates is None and refuses and not demand.tells_charge:
            refusal = _make_refusal(policy.explain_unpriced(demand.model, demand.backend), "unpriced")
            # Another backend may have a price for its own model.
            refusal.scope = f"backend {demand.backend}"
            refusal.reason = f"no price is known for {demand.model}"
            raise refusal
        return rates

    async def _reserve(
        self,
        demand: Demand,
        scopes: Sequence[str],
        budgets: Sequence[Budget],
        rates: Rates | None,
        wait: Callable[[float], None],
    ) -> None:
        """Wait until there is room for a request, and reserve it. Raises Halted when it is known that there is none."""
        size = estimate_tokens(demand.size, bytes_per_token=BYTES_PER_TOKEN)
        model: Model = (demand.root, demand.model)
        patience = trio.current_time() + SETTLE_SECONDS
        while (rules := self.rules) is not None:
            estimate = self._reservations.estimate(budgets, size, rates, model, self._clock())
            short = self._reservations.find_full(estimate)
            if short and (rules.halts or not all(self._reservations.states[key].known for key in short)):
                await self._request_share(estimate)
                self._check(scopes)
                short = self._reservations.find_full(estimate)
            if not short:
                break
            state = self._reservations.states[short[0]]
            if state.may_open and trio.current_time() < patience:
                wait(2 * SETTLE_SECONDS)
                await self._wait_for_end()
                continue
            reason = policy.explain_trip(state)
            self._trip(rules, state.budget.scope, reason, demand.request, short[0])
            if not rules.halts:
                break
            await self._sync.next_exchange()
            self._check(scopes)
        else:
            return
        self._reservations.reserve(demand.request, estimate)

    async def _request_share(self, estimate: Estimate) -> None:
        """Request a share of the budgets that this request fits in."""
        self._waiting[id(estimate)] = estimate
        try:
            await self._sync.next_exchange()
        finally:
            del self._waiting[id(estimate)]

    async def _wait_for_end(self) -> None:
        """Wait until a request has ended here, or may have elsewhere."""
        with trio.move_on_after(_AGAIN_SECONDS):
            await self._ended.wait()

    def _trip(self, rules: Rules, scope: str, reason: str, request: str, key: str = "") -> None:
        now = self._clock()
        halt = Halt(scope, now, now + rules.cooldown, reason, request, key)
        halts = self._halting if rules.halts else self._warnings
        known = halts.get(scope) or policy.find_halt(self.halts, (scope,), now)
        if known is not None and known.holds(now):
            return
        halts[scope] = halt
        self._sync.wake()
        words = f"halted until {policy.format_moment(halt.until, now)}" if rules.halts else "warning"
        self._notice(rules, f"{words}: {reason}")

    def _notice(self, rules: Rules, text: str) -> None:
        self._say(f"guard: {text}")
        if rules.notify and self._nursery is not None:
            self._nursery.start_soon(notify, f"fairlead guard: {text}")

    # What the operator sees and does

    def held(self, *scopes: str) -> Halt | None:
        """The halt that holds for requests of these scopes, as far as this process knows."""
        if self.rules is None or not self.rules.halts:
            return None
        return policy.find_halt(self.halts, scopes, self._clock())

    def budget_states(self, scope: str) -> Sequence[BudgetState]:
        """The budgets of a scope that requests have counted in so far."""
        return self._reservations.of_scope(scope)

    async def current(self) -> None:
        """Wait until what is known is not older than LOOK_SECONDS."""
        if self.rules is not None:
            await self._sync.current()

    def status(self) -> GuardStatus:
        """The guard as operators see it."""
        rules = self.rules
        if rules is None:
            return GuardStatus(state="off")
        missed = [report_not_counted(*key, count) for key, count in self._not_counted.items()]
        now = self._clock()
        halts = [halt for halt in self.halts if rules.halts and halt.holds(now)]
        shown = halts or [warning for warning in self._warnings.values() if warning.holds(now)]
        states = self._reservations.states
        overall = policy.judge_state(halts, shown, (state.spent_share for state in states.values()), now)
        return report_guard(overall, shown[0] if shown else None, halts, states, missed)

    async def resume(self) -> list[HaltReport]:
        """End all halts; returns those that held. A budget that was used up counts from here."""
        await self._sync.next_exchange()
        now = self._clock()
        current = [halt for halt in self.halts if halt.holds(now)]
        self._lift = True
        self._warnings.clear()
        await self._sync.next_exchange()
        return [report_halt(halt) for halt in current]

    # Its part in the exchange with other processes

    async def run(self) -> None:
        """Exchange with the other processes until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                await self._sync.run()
        finally:
            self._nursery = None

    @property
    def active(self) -> bool:
        """False while there is nothing to guard."""
        return self.rules is not None

    @property
    def has_news(self) -> bool:
        """True when there is something to publish."""
        news = self._finished or self._waiting or self._halting or self._prices.wants or self._lift
        return bool(news) or self._reservations.has_news

    @property
    def busy(self) -> bool:
        """True while requests hold reservations."""
        return self._reservations.running > 0

    @property
    def holds(self) -> bool:
        """True when shares of budgets are held that no request needs."""
        return self._reservations.idle

    def publish(self, sequence: int, *, give_back: bool) -> SyncMessage:
        """The message for the other processes."""
        budgets = self.rules.budgets if self.rules is not None else ()
        now = self._clock()
        claims = self._reservations.begin(sequence, budgets, self._waiting.values(), give_back=give_back, now=now)
        self._published_halts = tuple(self._halting.values())
        message = SyncMessage(
            sequence, claims, self._finished, self._published_halts, self._prices.pop_asked(), self._lift
        )
        self._finished, self._lift = [], False
        return message

    def receive(self, state: SharedState, sequence: int) -> None:
        """Apply the state that the store holds."""
        self.halts = state.halts
        if state.sequence >= sequence:
            for halt in self._published_halts:
                if self._halting.get(halt.scope) is halt:
                    del self._halting[halt.scope]
        self._prices.receive(state.rates, self._clock())
        self._reservations.receive(state.sequence, state.budgets, sequence)
        self._look_near()

    def _look_near(self) -> None:
        """Warn once for each budget that is nearly used up."""
        for key, state in self._reservations.states.items():
            if state.spent_share >= policy.WARN_SHARE and key not in self._near and self.rules is not None:
                self._near.add(key)
                self._notice(self.rules, policy.explain_nearly_used(state))
        self._near &= self._reservations.states.keys()

    def use_local_state(self) -> None:
        """Go on with the halts and spend of this process alone, since the store cannot be used."""
        self.halts = (*self.halts, *self._halting.values())
        self._halting.clear()
        self._reservations.use_local_state(lift=self._lift)
        if self._lift:
            self.halts, self._lift = (), False


def _make_refusal(text: str, error: str) -> Halted:
    refusal = Halted(text)
    refusal.word = error
    return refusal
