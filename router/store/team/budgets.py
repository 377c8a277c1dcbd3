"""The guard's data that the proxies of a team share on its server: spend, shares of budgets, halts.

Rules of this file: all calls are made in the team's thread. A message stays until a round that includes it was
answered; it is told again every AGAIN_SECONDS until then, and what was spent is told as a sum, so that telling it twice
books it once. A budget that this process claims for the first time brings what its home has spent of it before. A halt
is on the disk of the home before it is told.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from router.policy.budget.budgets import Allowance, Rates
from router.policy.budget.guard import Halt
from router.policy.budget.reservations import Claim, Model
from router.settings import Settings
from router.settings.declaring.shared import ALLOW
from router.store.database.writer import Ledger
from router.store.interfaces import Price, SharedState, SyncMessage
from router.store.peers import SharedServer
from router.store.shared.budgets import count_tokens, counts_tokens, rates_of, select_history_sum
from router.store.team.client import TeamClient, Unreachable
from router.store.team.kept_halts import KeptHalts
from router.store.team.round import Reply, Round, Rounds
from router.store.team.thread import TeamThread

AGAIN_SECONDS = 0.4
#: Of each process, so that the server can serve many of them also while requests wait for room.
PAUSE_SECONDS = 0.25
_FLUSH_SECONDS = 2.0


class TeamSharedBudgets:
    """The shared budgets for one process of a team. price: computes what a request cost. settings: returns those in
    use. clock: seconds since 1970."""

    def __init__(
        self,
        ledger: Ledger,
        price: Price,
        rounds: Rounds,
        client: TeamClient,
        thread: TeamThread,
        settings: Callable[[], Settings],
        halts: KeptHalts,
        *,
        clock: Callable[[], float] = time.time,
    ):
        #: The last reply, None before the first, and when it came: seconds since 1970.
        self.reply: Reply | None = None
        self.replied: float | None = None
        self._kept = halts
        self._ledger = ledger
        self._price = price
        self._rounds = rounds
        self._client = client
        self._thread = thread
        self._settings = settings
        self._clock = clock
        self._receive: Callable[[SharedState], None] = lambda state: None
        self._messages: deque[SyncMessage] = deque()
        self._asking = threading.Event()
        # Of the team's thread:
        self._turn = 0
        self._answered = True
        self._claims: Mapping[str, Claim] = {}
        self._keys: dict[str, None] = {}
        self._spent: dict[str, int] = {}
        self._history: dict[str, int] = {}
        self._halts: list[tuple[int, Halt]] = []
        self._lift = 0
        self._rates: dict[Model, Rates | None] = {}
        self._waits = False
        thread.prepare(halts.load)

    @property
    def problem(self) -> str | None:
        """Why nothing can be shared, None while the server answers."""
        return self._client.breaker.problem

    @property
    def server(self) -> SharedServer:
        """The server as this process finds it now."""
        breaker, reply = self._client.breaker, self.reply
        return SharedServer(
            address=self._client.address.shown,
            team=self._settings().shared_team,
            problem=breaker.problem,
            failing_since=breaker.failing_since,
            failed_calls=breaker.failed,
            losses=self._rounds.losses,
            processes=0 if reply is None else reply.processes,
            settling=reply is not None and reply.settling,
            allowance=self.allowance,
            answered=breaker.answered,
            last_round=self.replied,
            shares_until=self._rounds.shares_until if reply is not None and reply.holds else None,
        )

    @property
    def allowance(self) -> Allowance:
        """The share that is held, as long as its lease lasts; all that is left where the user allows that."""
        if self._settings().shared_on_loss == ALLOW:
            return "all"
        return "share" if self._rounds.holds_shares else "nothing"

    @property
    def kept_halts(self) -> Sequence[Halt]:
        """The halts that were known last, also before this process began."""
        return self._kept.halts

    @property
    def pause(self) -> float:
        """Seconds from one call of the server to the next, for long."""
        return PAUSE_SECONDS

    def subscribe(self, receive: Callable[[SharedState], None]) -> None:
        """Have `receive` called with the state, in the team's thread."""
        self._receive = receive

    def publish(self, message: SyncMessage) -> None:
        """Tell a message at once. Never waits."""
        self._ledger.start()
        self._messages.append(message)
        self._ask()

    def look(self) -> None:
        """Give out the state as it is now. Never waits."""
        self._ask()

    def find_rates(self, model: Model) -> Rates | None:
        """The rates of a model; None when it has no price. Blocks, as the price data may have to be loaded."""
        return rates_of(model, self._price, self._clock())

    def keep_halts(self, halts: Sequence[Halt]) -> None:
        """Keep the halts that this process decides by while the server is away. Never waits."""
        if tuple(halts) != self._kept.halts:
            self._kept.halts = tuple(halts)
            self._thread.submit(self._kept.write)

    def leave(self) -> None:
        """Give back all shares, since this process ends."""
        if self._turn or self._messages:
            self._thread.submit(self._rounds.leave)

    def _ask(self) -> None:
        if not self._asking.is_set():
            self._asking.set()
            self._thread.submit(self._exchange)

    # The team's thread

    def _exchange(self) -> None:
        self._asking.clear()
        while self._messages:
            self._take(self._messages.popleft())
        told = Round(
            turn=self._turn,
            claims=self._claims,
            keys=self._keys,
            spent=self._spent,
            history=self._history,
            halts=self._halts,
            lift=self._lift,
            looks=self._answered,
        )
        try:
            reply = self._rounds.run(told)
        except Unreachable:
            if not self._waits:
                self._waits = True
                self._thread.submit_later(AGAIN_SECONDS, self._exchange_again)
            raise
        self.reply, self.replied = reply, self._clock()
        self._kept.halts = reply.halts
        self._kept.write()
        self._answered = True
        self._halts, self._lift, self._history = [], 0, {}
        rates, self._rates = self._rates, {}
        self._receive(SharedState(self._turn, reply.budgets, reply.halts, rates))

    def _exchange_again(self) -> None:
        self._waits = False
        self._exchange()

    def _take(self, message: SyncMessage) -> None:
        """Take over what a message tells; it stays until it was answered."""
        self._turn, self._answered, self._claims = message.sequence, False, message.claims
        fresh = [key for key in message.claims if key not in self._history and not self._rounds.knows(key)]
        if fresh:
            # With the rows that are not written yet.
            self._ledger.flush(_FLUSH_SECONDS)
        self._history |= {key: self._read_history(message.claims[key]) for key in fresh}
        if message.claims:
            self._keys = dict.fromkeys(message.claims)
        for keys, entry in message.finished:
            tokens, (cost, _) = count_tokens(entry).tokens, self._price(entry)
            for key in keys:
                self._spent[key] = self._spent.get(key, 0) + (tokens if counts_tokens(key) else cost or 0)
                self._keys[key] = None
        if message.halts:
            self._kept.add(message.halts)
        self._halts += [(message.sequence, halt) for halt in message.halts]
        self._lift = message.sequence if message.lift else self._lift
        now = self._clock()
        self._rates |= {model: rates_of(model, self._price, now) for model in message.models}

    def _read_history(self, claim: Claim) -> int:
        """What the home has spent of a budget in its term."""
        rows = self._ledger.read(*select_history_sum(claim.budget, claim.term))
        return int(rows[0][0]) if rows else 0
