"""Proxies of a team: each has a home of its own, all share one server, as on several machines."""

import random
import threading
import time

from ..patience import PATIENCE
from .budgets import BODY, PATH, configured, proxy, query
from .wire import Client, request

SECRET = "0123456789abcdef" * 4


def join_team(folder, server, rules, **more):
    """A home whose settings name the server. more: settings of `shared`."""
    shared = {"url": server.url, "secret": SECRET, **more}
    lines = "\n".join(f'shared.{name} = "{value}"' for name, value in shared.items())
    folder.mkdir(exist_ok=True)
    configured(folder, f"{lines}\n{rules}")


def start_team(folder, server, up, rules, count=4, **more):
    """So many proxies, that have loaded."""
    proxies = []
    try:
        for number in range(count):
            join_team(folder / str(number), server, rules, **more)
            proxies.append(proxy(folder / str(number), up))
        for one in proxies:
            one.loaded()
    except BaseException:
        for one in proxies:
            one.kill()
        raise
    return proxies


def list_rows(folder, count=4):
    """The rows of all homes: when each began and ended, in seconds since 1970, its dollars, and its status."""
    sql = "SELECT time, total_us, coalesce(cost, 0), status FROM requests"
    rows = [row for number in range(count) for row in query(folder / str(number), sql)]
    return [(begin / 1000, begin / 1000 + took / 1e6, cost / 1e9, status) for begin, took, cost, status in rows]


class Senders:
    """Clients that send to each proxy until so many requests were served, or it is halted; one that is gone ends its
    clients. A request that is refused for another reason is sent again a moment later."""

    def __init__(self, ports, total, threads=10):
        self.statuses = []
        self._left = total
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(port, number)) for port in ports for number in range(threads)
        ]
        for one in self._threads:
            one.start()

    def _work(self, port, seed):
        chance = random.Random(seed)
        try:
            with Client(port) as client:
                while self._take():
                    client.send(request(PATH, BODY))
                    answer = client.answer()
                    if answer is None:
                        return
                    status = answer.status
                    with self._lock:
                        self.statuses.append((time.time(), port, status))
                    if status != 200:
                        with self._lock:
                            self._left += 1
                        if b"fairlead stopped this request" in answer.body:
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

    def join(self):
        """Wait until all have ended."""
        for one in self._threads:
            one.join(10 * PATIENCE)
            assert not one.is_alive()
