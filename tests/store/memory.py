"""A store in memory, shared by all proxies that are given it, as one of another database would be."""

import time
from types import SimpleNamespace

from router.policy.budget.budgets import BudgetView, compute_share
from router.policy.facts.learned import LearnedLimits
from router.policy.facts.lifetimes import SeenLifetimes
from router.store.interfaces import Owner, SharedState, Store
from router.store.shared.budgets import count_tokens, counts_tokens, rates_of
from router.store.shared.sqlite import LocalAccountStates


class MemoryStore:
    """The data that all proxies share. entries: the requests that ended."""

    def __init__(self):
        self.entries = []
        self.owners = {}
        self.responses = {}
        self.budgets = {}
        self.halts = {}
        self.limits = LearnedLimits()
        self.lifetimes = SeenLifetimes()

    def open(self, home, say, *, price, settings):
        """The parts for one proxy."""
        return Store(
            MemoryLedger(home),
            SimpleNamespace(extend=self.entries.extend),
            MemoryOwners(self.owners),
            MemoryResponses(self.responses),
            MemoryBudgets(self, price),
            LocalAccountStates(),
            MemoryLearnedLimits(self.limits),
            MemorySeenLifetimes(self.lifetimes),
        )


class MemoryLedger:
    """Prepares rows as soon as there are any; nothing is left to be written."""

    def __init__(self, home):
        self.dropped, self.problem, self.elsewhere = 0, None, None
        self.path = home.at("history.db")
        self.waiting = 0
        self._preparations = []

    def start(self):
        pass

    def close(self):
        pass

    def pause(self):
        pass

    def add_preparation(self, preparation):
        self._preparations.append(preparation)

    def wake(self):
        for prepare in self._preparations:
            prepare()

    flush_soon = wake

    def flush(self, seconds=2.0):
        self.wake()
        return True


class MemoryOwners:
    """The accounts that issued ids. Nothing is cached, so that each lookup asks the store."""

    attached = True

    def __init__(self, found):
        self._found = found

    def remember(self, name, backend, account, kind, key=""):
        self._found[name] = Owner(backend, account, kind, int(time.time()), key)

    def cache(self, name, owner):
        pass

    def known(self, names):
        return None

    def find(self, names):
        return next(((name, self._found[name]) for name in names if name in self._found), None)

    def find_all(self, names):
        return {name: self._found[name] for name in names if name in self._found}


class MemoryResponses:
    """Answers by id, and their items."""

    def __init__(self, found):
        self._found = found

    def store(self, name, previous, items, size, about=None):
        self._found[name] = {"previous": previous, "items": items, **(about or {})}
        self._found.update({item["id"]: item for item in items if "id" in item})

    def delete(self, name):
        gone = [item["id"] for item in self._found.get(name, {}).get("items", []) if "id" in item]
        self._found.update({key: {} for key in (name, *gone)})

    def read(self, name):
        return self._found.get(name)

    def on_erased(self, forget):
        pass

    def find(self, names, key=""):
        found = {}
        for name in names:
            while (entry := self._found.get(name)) and name not in found and entry.get("key", "") == key:
                found[name] = self._found[name]
                name = found[name].get("previous", "")
        return found


class MemoryLearnedLimits:
    """The limits that errors told."""

    def __init__(self, found):
        self._found = found
        self.learned, self.taken, self.note_taken = found.learned, found.taken, found.note_taken

    def learn(self, backend, model, *, window, max_input):
        self._found.learn(backend, model, window=window, max_input=max_input, at=time.time())


class MemorySeenLifetimes:
    """For how long caches were seen to keep a prompt."""

    def __init__(self, found):
        self._found = found
        self.seen = found.seen

    def note_kept(self, backend, model, seconds):
        self._found.note_kept(backend, model, seconds, at=time.time())

    def note_dropped(self, backend, model, seconds):
        self._found.note_dropped(backend, model, seconds, at=time.time())


class MemoryBudgets:
    """Spend and halts; each proxy may use all that is left, since tests run one at a time."""

    problem = None
    allowance = "all"
    pause = 0.0
    server = None
    kept_halts = ()

    def __init__(self, store, price):
        self._store, self._price = store, price
        self._sequence, self._held, self._rates = 0, {}, {}

    def subscribe(self, receive):
        self._receive = receive

    def publish(self, message):
        now, budgets = time.time(), self._store.budgets
        self._sequence = message.sequence
        for keys, entry in message.finished:
            for key in keys:
                budgets[key] += count_tokens(entry).tokens if counts_tokens(key) else self._price(entry)[0] or 0
        self._held = {}
        for key, claim in message.claims.items():
            spent = budgets.setdefault(key, 0)
            wanted = {"keep": claim.keep, "needed": claim.needed}
            self._held[key] = compute_share(limit=claim.budget.limit, spent=spent, others=0, processes=1, **wanted)
        for halt in message.halts:
            if halt.scope not in self._store.halts or not self._store.halts[halt.scope].holds(now):
                self._store.halts[halt.scope] = halt
        if message.lift:
            budgets.update({halt.budget_key: 0 for halt in self._store.halts.values() if halt.budget_key})
            self._store.halts.clear()
        self._rates = {model: rates_of(model, self._price, now) for model in message.models}
        self.look()

    def find_rates(self, model):
        return rates_of(model, self._price, time.time())

    def look(self):
        books = {key: BudgetView(spent=self._store.budgets[key], held=held) for key, held in self._held.items()}
        self._receive(SharedState(self._sequence, books, tuple(self._store.halts.values()), self._rates))

    def keep_halts(self, halts):
        pass

    def leave(self):
        self._held = {}
