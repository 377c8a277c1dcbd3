"""Proxies of a team that spend one budget: each has a home of its own."""

import random
import threading
import time

from ..patience import PATIENCE
from .budgets import BODY, PATH, configured, query
from .team_worlds import SECRET, TeamProxy
from .wire import Client, request


def start_team(folder, places, rules, count=4, entry=None, **more):
    """So many proxies, that have loaded, in these places in turn. entry: what their backend has besides
    the upstream; more: settings of `shared`."""
    proxies = []
    try:
        for number in range(count):
            home, place = folder / str(number), places[number % len(places)]
            home.mkdir(exist_ok=True)
            shared = "\n".join(f'shared.{name} = "{value}"' for name, value in {"secret": SECRET, **more}.items())
            configured(home, f"{place.settings}\n{shared}\n{rules}")
            proxies.append(TeamProxy(home, place, **(entry or {})))
        for one in proxies:
            one.loaded()
    except BaseException:
        for one in proxies:
            one.kill()
        raise
    return proxies


def list_rows(folder, names="[0-9]"):
    """The rows of the homes with such names: when each began and ended, in seconds since 1970, its dollars, and its
    status."""
    sql = "SELECT time, total_us, coalesce(cost, 0), status FROM requests"
    rows = [row for home in folder.glob(names) for row in query(home, sql)]
    return [(begin / 1000, begin / 1000 + took / 1e6, cost / 1e9, status) for begin, took, cost, status in rows]


class Senders:
    """Clients on the machine of each proxy that send to it until so many requests were served, or it is halted; one
    that is gone ends its clients. A request that is refused for another reason is sent again a moment later.

    statuses: when each answer came, in seconds since 1970, from which proxy, by its place in the list, and its status.
    halted: those that have told of a halt.
    """

    def __init__(self, proxies, total, threads=10):
        self.statuses = []
        self.halted = set()
        self._left = total
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(number, proxy, seed))
            for number, proxy in enumerate(proxies)
            for seed in range(threads)
        ]
        for one in self._threads:
            one.start()

    def _work(self, number, proxy, seed):
        chance = random.Random(seed)
        proxy.machine.enter()
        try:
            with Client(proxy.port) as client:
                while self._take():
                    client.send(request(PATH, BODY))
                    answer = client.answer()
                    if answer is None:
                        return
                    status = answer.status
                    with self._lock:
                        self.statuses.append((time.time(), number, status))
                    if status != 200:
                        with self._lock:
                            self._left += 1
                        if b"fairlead stopped this request" in answer.body:
                            self.halted.add(number)
                            return
                        time.sleep(chance.uniform(0.05, 0.2))  # a client that comes again
        except OSError:
            return

    def _take(self):
        with self._lock:
            self._left -= 1
            return self._left >= 0

    @property
    def answered(self):
        """How many requests were answered."""
        return len(self.statuses)

    def have_gone_on(self, numbers, since):
        """True once each of these proxies has served a request since a moment, or has told its clients of a halt."""
        served = {number for at, number, status in self.statuses if at > since and status == 200}
        return served | self.halted >= set(numbers)

    def join(self):
        """Wait until all have ended."""
        for one in self._threads:
            one.join(10 * PATIENCE)
            assert not one.is_alive()
