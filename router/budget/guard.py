"""The guard of one process: admits requests within budgets, counts what they cost, and knows what is halted.

Rules of this file: a request waits while its process does not know enough (no state was received for LOOK_SECONDS, a
model's price or a share of a budget is missing, a halt is being written to the store), and in line while what it may
use does not fit beside what is reserved for running ones. All else is exchanged while requests run. Only what is spent
halts. A halt refuses requests only after it was read back from the store. Where the store cannot be used, each process
goes on counting by itself. Without rules nothing runs.
"""

import time
from collections.abc import Callable, Collection, Sequence

import trio

from router.budget.demand import Demand, UncountedRequests
from router.budget.refusals import make_busy, make_lost, make_refusal
from router.budget.sync import BudgetSync
from router.budget.waiting_line import Waiter, WaitingLine
from router.host.notify import Notifier
from router.operator_api.guard import GuardStatus, HaltReport, report_guard, report_halt
from router.policy.budget import guard as policy
from router.policy.budget.budgets import ALL, Budget, BudgetState, Rates
from router.policy.budget.extra_prices import is_beyond_rates
from router.policy.budget.guard import Halt, Rules
from router.policy.budget.price_cache import PriceCache
from router.policy.budget.reservations import Estimate, Model, Reservations, Size, estimate_size
from router.policy.routing.table import DEMO, SEARCH
from router.settings import Settings
from router.store.history.entry import HistoryEntry
from router.store.interfaces import SharedBudgets, SharedState, SyncMessage
from router.store.peers import SharedServer
from router.store.shared.budgets import count_tokens
from router.wire.calls import is_free

# How often the first in line looks whether requests of other processes have ended.
_AGAIN_SECONDS = 0.1
# What a request may take besides its wait for room, until it is sent.
_MARGIN_SECONDS = 20.0
_PENDING = 10_000


class Guard:
    """The guard of one proxy. shared: what all processes have in common. say, notifier: take lines for the user."""

    def __init__(
        self,
        shared: SharedBudgets,
        say: Callable[[str], None],
        notifier: Notifier | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ):
        self.rules: Rules | None = None
        self.halts: tuple[Halt, ...] = ()
        self._shared = shared
        self._again = max(_AGAIN_SECONDS, shared.pause)
        self._sync = BudgetSync(self, shared)
        self._say = say
        self._notifier = notifier
        self._clock = clock
        self._reservations = Reservations()
        self._prices = PriceCache()
        self._line = WaitingLine()
        self._told_needs = False  # the last message said what a request waits for
        self._finished: list[tuple[Sequence[str], HistoryEntry]] = []
        self._halting: dict[str, Halt] = {}
        self._warnings: dict[str, Halt] = {}
        self._near: set[str] = set()
        self._uncounted = UncountedRequests()
        self._lift = False
        self._published_halts: tuple[Halt, ...] = ()

    def apply(self, settings: Settings, runs: Sequence[Budget] = (), elsewhere: Collection[str] = ()) -> None:
        """Apply the rules of these settings from now on. Arguments as of `read_rules`."""
        before, self.rules = self.rules, policy.read_rules(settings, runs, elsewhere)
        self._prices.forget()
        if before != self.rules:
            # Shares of budgets with other limits are not valid any more: they are requested anew.
            self._reservations.withdraw()
            self._line.wake_all()
            self._sync.wake()

    # On the request path

    async def admit(self, demand: Demand, rules: Rules, wait: Callable[[float], None]) -> int | None:
        """Admit a request, with a reservation; returns the tokens that it is expected to write, None where nothing was
        reserved. wait: called before a wait with the seconds that it may take.

        Raises Halted; BudgetBusy when running requests may use all that is left, and do not end in time.
        """
        if self._reservations.release(demand.request) is not None:
            self._line.wake_first()
        await (self._sync.next_exchange() if self._halting else self.current())
        scopes = policy.list_scopes(demand.backend, demand.account, demand.tag, demand.key)
        self._check(scopes)
        budgets = rules.budgets_of(scopes)
        if not budgets:
            return None
        rates = await self._find_rates(demand, rules) if any(one.unit == "usd" for one in budgets) else None
        if not demand.generates:
            return None
        size = estimate_size(demand.input_tokens, demand.traits, demand.fee)
        if demand.within:
            await self._admit_part(demand, rules, scopes, size)
            return None
        expected = await self._reserve(demand, scopes, (size, rates), wait)
        self._sync.wake()
        return expected

    async def _admit_part(self, demand: Demand, rules: Rules, scopes: Sequence[str], size: Size) -> None:
        """Admit a part of a running request. That has reserved what the part may use, and would be waited for in vain:
        a part goes while anything is left. Raises Halted."""
        budgets = rules.budgets_of(scopes)
        model = Model(demand.root, demand.model)
        estimate = self._reservations.estimate(budgets, size, None, model, self._clock())
        if await self._trip_used_up(rules, estimate, demand.request):
            self._check(scopes)

    def finished(self, entry: HistoryEntry) -> None:
        """Replace the reservation of a request that has ended by what it used."""
        rules = self.rules
        if rules is None:
            return
        counts = count_tokens(entry)
        extras = entry.extras
        whole = not is_beyond_rates(extras)
        keys = self._reservations.settle(entry.id, counts, entry.charge, whole=whole)
        budgets = rules.budgets_of(policy.list_scopes(entry.backend, entry.account, entry.tag, entry.key or ""))
        model = Model(entry.root, entry.served_model)
        if (entry.root or entry.backend == SEARCH) and any(one.unit == "usd" for one in budgets):
            if any(counts) and self._prices.lacks(model):
                self._uncounted.note(entry)
            elif extras is not None and extras.uncounted:
                self._uncounted.note(entry, extras.uncounted)
            elif entry.status < 400 and not any(counts) and not is_free(entry.path, entry.method):
                self._uncounted.note(entry, policy.name_calls(entry.path))
        if keys is None and entry.attempts:
            rates = self._prices.rates(model)
            keys = self._reservations.count(budgets, counts, rates, self._clock(), entry.charge)
        elif keys is not None:
            self._line.wake_first()
        if keys and len(self._finished) < _PENDING:
            self._finished.append((keys, entry))
            self._sync.wake()

    def billed(self, rules: Rules, billing: str, backend: str, account: str, request: str) -> None:
        """Check the class that a request was billed to; '' when the answer named none."""
        if billing and billing.lower() not in rules.billing:
            self._trip(rules, ALL, policy.explain_billing(billing, backend, account, rules.billing), request)

    def _check(self, scopes: Sequence[str]) -> None:
        halt = self.held(*scopes)
        if halt is not None:
            state = self._reservations.states.get(halt.budget_key)
            refusal = make_refusal(policy.explain_refusal(halt, self._clock(), state), "halted")
            refusal.scope, refusal.reason = halt.scope, halt.reason
            raise refusal

    async def _find_rates(self, demand: Demand, rules: Rules) -> Rates | None:
        """The prices of the model. Raises Halted for a request whose cost cannot be counted, where that is refused."""
        refuses = rules.refuse_unpriced and demand.backend != DEMO
        if refuses and not (demand.generates or is_free(demand.path, demand.method)):
            raise make_refusal(policy.explain_uncounted(demand.path), "unpriced")
        if not demand.generates:
            return None
        if refuses and demand.traits.uncounted and not demand.tells_charge:
            raise make_refusal(policy.explain_uncounted(demand.traits.uncounted), "unpriced")
        if demand.backend == SEARCH:
            return None  # it has no other price than its fee
        model = Model(demand.root, demand.model, demand.traits.tier, demand.traits.audio)
        if self._prices.ask(model, self._clock()):
            await self._sync.next_exchange()
            if not self._prices.knows(model, self._clock()):
                # The store cannot be used: without a price the process would count nothing by itself.
                found = await trio.to_thread.run_sync(self._shared.find_rates, model)
                self._prices.receive({model: found}, self._clock())
        rates = self._prices.rates(model)
        if (rates is None or not rates.whole) and refuses and not demand.tells_charge:
            text = policy.explain_unpriced(demand.model, demand.backend)
            if rates is not None:
                text = policy.explain_uncounted(f"{demand.traits.describe_unpriced()} of {demand.model}")
            refusal = make_refusal(text, "unpriced")
            # Another backend may have a price for its own model.
            refusal.scope = f"backend {demand.backend}"
            refusal.reason = f"no price is known for {demand.model}"
            raise refusal
        return rates

    async def _reserve(
        self,
        demand: Demand,
        scopes: Sequence[str],
        priced: tuple[Size, Rates | None],
        wait: Callable[[float], None],
    ) -> int | None:
        """Wait in line until there is room for a request, and reserve it; the tokens that it is expected to write, None
        when the rules have gone. Raises Halted, BudgetBusy."""
        size, rates = priced
        model = Model(demand.root, demand.model, demand.traits.tier, demand.traits.audio)
        patience: float | None = None
        waiter: Waiter | None = None
        try:
            while (rules := self.rules) is not None:
                # The limits may change while it waits.
                budgets = rules.budgets_of(scopes)
                estimate = self._reservations.estimate(budgets, size, rates, model, self._clock())
                full = self._reservations.find_full(estimate)
                blocked = self._line.blocking(waiter, estimate.amounts) if rules.halts else []
                if not full and not blocked:
                    self._reservations.reserve(demand.request, estimate)
                    return estimate.output
                if waiter is None:
                    waiter = self._line.enter(self._clock(), estimate)
                waiter.estimate = estimate
                self._line.stand(waiter, [*full, *blocked])
                if full and not blocked:
                    await self._sync.next_exchange()
                    self._check(scopes)
                    estimate = self._reservations.estimate(budgets, size, rates, model, self._clock())
                    full = self._reservations.find_full(estimate)
                    blocked = self._line.blocking(waiter, estimate.amounts)
                    if not full and not blocked:
                        continue
                    if await self._trip_used_up(rules, estimate, demand.request):
                        self._check(scopes)
                    if rules.halts and self._sync.is_local and self._shared.allowance != "all":
                        raise make_lost(self._shared.problem, [self._reservations.states[key] for key in full])
                    if not rules.halts:
                        self._reservations.reserve(demand.request, estimate)
                        return estimate.output
                now = trio.current_time()
                if patience is None:
                    seconds = max(0.0, min(rules.patience, demand.left))
                    patience = now + seconds
                    wait(seconds + _MARGIN_SECONDS)
                if now >= patience:
                    raise make_busy(self._reservations.states[[*full, *blocked][0]])
                # The first in line looks by itself, since requests of other processes end unheard.
                waiter.woken = trio.Event()
                with trio.move_on_at(patience if blocked else min(patience, now + self._again)):
                    await waiter.woken.wait()
                self._check(scopes)
            return None
        finally:
            if waiter is not None:
                self._line.leave(waiter)
                # Other processes need not leave room for it any longer.
                self._sync.wake()

    async def _trip_used_up(self, rules: Rules, estimate: Estimate, request: str) -> bool:
        """Trip the budget of which nothing is left for a request; True once that was read back from the store."""
        key = self._reservations.find_used_up(estimate)
        if key is None:
            return False
        state = self._reservations.states[key]
        self._trip(rules, state.budget.scope, policy.explain_trip(state), request, key)
        if rules.halts:
            await self._sync.next_exchange()
        return rules.halts

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
        self._notice("halt" if rules.halts else "budget", scope, f"{words}: {reason}")

    def _notice(self, kind: str, subject: str, text: str) -> None:
        self._say(f"guard: {text}")
        if self._notifier is not None:
            self._notifier.tell(kind, subject, f"fairlead guard: {text}", bell=True)

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

    @property
    def server(self) -> SharedServer | None:
        """The server of the team, None where there is none."""
        return self._shared.server

    def status(self) -> GuardStatus:
        """The guard as operators see it."""
        rules = self.rules
        if rules is None:
            return GuardStatus(state="off")
        now = self._clock()
        halts = [halt for halt in self.halts if rules.halts and halt.holds(now)]
        shown = halts or [warning for warning in self._warnings.values() if warning.holds(now)]
        states = self._reservations.states
        overall = policy.judge_state(halts, shown, (state.spent_share for state in states.values()), now)
        return report_guard(overall, shown[0] if shown else None, halts, states, self._uncounted.report())

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
        await self._sync.run()

    @property
    def active(self) -> bool:
        """False while there is nothing to guard."""
        return self.rules is not None

    @property
    def has_news(self) -> bool:
        """True when there is something to publish."""
        news = self._finished or self._halting or self._prices.wants or self._lift
        return bool(news) or bool(self._line) or self._told_needs or self._reservations.has_news

    @property
    def busy(self) -> bool:
        """True while requests hold reservations, or wait for room."""
        return self._reservations.running > 0 or bool(self._line)

    @property
    def holds(self) -> bool:
        """True when shares of budgets are held that no request needs."""
        return self._reservations.idle

    def publish(self, sequence: int, *, give_back: bool) -> SyncMessage:
        """The message for the other processes."""
        rules = self.rules
        budgets = rules.budgets_in_use(self._reservations.scopes) if rules is not None else ()
        now = self._clock()
        needs = self._line.needs()
        self._told_needs = bool(needs)
        claims = self._reservations.begin(sequence, budgets, needs, give_back=give_back, now=now)
        self._published_halts = tuple(self._halting.values())
        message = SyncMessage(
            sequence, claims, self._finished, self._published_halts, self._prices.pop_asked(), self._lift
        )
        self._finished, self._lift = [], False
        return message

    def receive(self, state: SharedState, sequence: int) -> None:
        """Apply the state that the store holds."""
        if self.halts != state.halts:
            self.halts = state.halts
            self._line.wake_all()
        if state.sequence >= sequence:
            for halt in self._published_halts:
                if self._halting.get(halt.scope) is halt:
                    del self._halting[halt.scope]
        self._prices.receive(state.rates, self._clock())
        self._reservations.receive(state.sequence, state.budgets, sequence)
        # Only those with room: two that woke each other would exchange without end.
        self._line.wake_ready(self._reservations.has_room)
        self._look_near()

    def _look_near(self) -> None:
        """Warn once for each budget that is nearly used up."""
        for key, state in self._reservations.states.items():
            if state.spent_share >= policy.WARN_SHARE and key not in self._near and self.rules is not None:
                self._near.add(key)
                self._notice("budget", key, policy.explain_nearly_used(state))
        self._near &= self._reservations.states.keys()

    def use_local_state(self) -> None:
        """Go on with the halts and spend of this process alone, and the halts that are kept for such a time, since the
        store cannot be used."""
        allowance = self._shared.allowance
        kept = (halt for halt in self._shared.kept_halts if halt.holds(self._clock()))
        self.halts = tuple(dict.fromkeys((*self.halts, *kept, *self._halting.values())))
        # Where shares are kept, what was decided here is told once the store can be used again.
        counts_on = allowance == "all"
        self._reservations.use_local_state(lift=self._lift and counts_on, allowance=allowance)
        if counts_on:
            self._halting.clear()
        if self._lift and counts_on:
            self.halts, self._lift = (), False
        self._shared.keep_halts(self.halts)
