"""The guard over real sockets: budgets hold, a halt reaches every process and outlives each, its end is told."""

import contextlib
import json
import random
import sqlite3
import threading
import time

import pytest

from .processes import Proxy, backend, make_home, until
from .upstream import Upstream, plain
from .wire import Client, ask, request

PRICES = '[prices."model-a"]\ninput = 1000\noutput = 1000\n'
BODY = json.dumps({"model": "model-a", "messages": [{"role": "user", "content": "hi"}]}).encode()
PATH = "/v1/chat/completions"
#: What one token costs, in US dollars.
TOKEN = 0.001


def answer(tokens, *fields):
    """A whole Chat answer that used this many tokens."""
    usage = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    said = {"id": "c1", "object": "chat.completion", "created": 1, "model": "model-a", "choices": [choice]}
    return plain(json.dumps({**said, "usage": usage}).encode(), b"200 OK", *fields)


def configured(folder, text):
    """A home with this config.toml, without notifications, and prices for model-a."""
    path = make_home(folder) / "config.toml"
    path.touch(mode=0o600)
    path.write_text(f"guard.notify = false\n{text}\n{PRICES}")


@pytest.fixture
def up():
    listening = Upstream()
    yield listening
    listening.stop()


def proxy(folder, up, **settings):
    """A proxy with that one backend."""
    return Proxy(folder, backends=[backend("box", up.root)], settings={"FAIRLEAD_DEFAULT_BACKEND": "box", **settings})


def query(folder, sql):
    """What history.db holds."""
    with contextlib.closing(sqlite3.connect(folder / "home" / "history.db")) as db:
        return db.execute(sql).fetchall()


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
    assert limit <= sum(cost for _, _, cost in spent) <= limit + in_flight
    assert query(folder, "SELECT spent FROM guard_books") == [(round(sum(cost for _, _, cost in spent) * 1e9),)]
    assert max(busy.begun) < since + 1


def crossing(spent, limit):
    """When the sum of what has ended reached the limit, in ms since 1970."""
    total = 0
    for _, end, cost in sorted(spent, key=lambda row: row[1]):
        total += cost
        if total >= limit:
            return end
    return max(end for _, end, _ in spent)


def test_four_processes_share_a_budget(tmp_path, up):
    """The short form of the next one."""
    check_shared(tmp_path, up, total=400, limit=3)


@pytest.mark.slow
def test_four_processes_share_a_budget_under_load(tmp_path, up):
    """2,000 requests: overspend within the cost in flight, each has its row, a halt stops all within a second."""
    check_shared(tmp_path, up, total=2000, limit=15)
