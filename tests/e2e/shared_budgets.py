"""Requests that are sent at once to proxies that share a budget, and what they may spend together."""

import random
import threading
import time

from .budgets import BODY, PATH, answer, configured, proxy, query
from .processes import until
from .wire import Client, ask, request


class Busy:
    """An upstream's default script: it takes a moment, and charges what chance says."""

    def __init__(self, seed=9):
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self.begun = []

    def __call__(self, sock):
        with self._lock:
            self.begun.append(time.time())
            wait, tokens = self._chance.uniform(0.002, 0.03), self._chance.randint(2, 40)
        time.sleep(wait)
        sock.sendall(answer(tokens))


def send_all(ports, count, threads):
    """Send that many requests to each port at once; the statuses."""
    found, lock = [], threading.Lock()

    def work(port, number):
        with Client(port) as client:
            for _ in range(number):
                client.send(request(PATH, BODY))
                status = client.answer().status
                with lock:
                    found.append(status)

    workers = [threading.Thread(target=work, args=(port, count // threads)) for port in ports for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def check_shared(folder, up, *, total, limit):
    """Four processes, one budget: no more is overspent than was in flight, and a halt stops all of them."""
    configured(folder, f"guard.day_usd = {limit}")
    up.default = [busy := Busy()]
    proxies = []
    try:
        for _ in range(4):
            proxies.append(proxy(folder, up))
        for one in proxies:
            one.loaded()
        statuses = send_all([one.port for one in proxies], total // 4, 10)
        [(since,)] = until(lambda: query(folder, "SELECT since FROM guard_halts"))
        until(lambda: time.time() > since + 1)
        afterwards = [ask(one.port, PATH, BODY).status for one in proxies]
    finally:
        codes = [one.stop() for one in proxies]
    assert codes == [0] * 4, [one.said() for one in proxies]
    assert (len(statuses), {*statuses}) == (total, {200, 402})
    assert afterwards == [402] * 4
    found = query(folder, "SELECT time, total_us, coalesce(cost, 0), status FROM requests")
    assert len(found) == total + 4
    spent = [(begin, begin + took / 1000, cost / 1e9) for begin, took, cost, status in found if status == 200]
    reached = crossing(spent, limit)
    in_flight = sum(cost for begin, end, cost in spent if begin - 1 <= reached <= end + 1)
    # What each process let go last is in flight too, though its row may begin after the others' ends.
    last = 4 * max(cost for _, _, cost in spent)
    cost = sum(cost for _, _, cost in spent)
    late = max(busy.begun) - since
    print(f"{len(found)} rows, ${cost:.3f} spent of ${limit}, ${in_flight:.3f} in flight, the last {late:.2f} s after")
    assert limit <= cost <= limit + in_flight + last
    assert query(folder, "SELECT spent FROM guard_books") == [(round(cost * 1e9),)]
    assert late < 1


def crossing(spent, limit):
    """When the sum of what has ended reached the limit, in ms since 1970."""
    total = 0
    for _, end, cost in sorted(spent, key=lambda row: row[1]):
        total += cost
        if total >= limit:
            return end
    return max(end for _, end, _ in spent)
