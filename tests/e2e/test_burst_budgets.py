"""Budgets under bursts over real sockets: requests that may use much come at once, by one process and by two.

Prices are those of a large model, so that each request may cost up to 0.80 dollars under a budget of 5.
"""

import json
import random
import threading
import time

import pytest

from ..patience import PATIENCE
from .budgets import PATH, proxy, query
from .processes import Proxy, backend, make_home, until
from .upstream import plain
from .wire import Client, request

CONFIG = """
guard.notify = false
queue.timeout = "{patience}"
{rules}
[prices."model-b"]
input = 5
output = 25
"""
LIMIT, MOST = 5.0, 32_000


def configured(folder, rules, patience="100s"):
    path = make_home(folder) / "config.toml"
    path.touch(mode=0o600)
    path.write_text(CONFIG.format(rules=rules, patience=patience))


def body(**more):
    asked = {"model": "model-b", "messages": [{"role": "user", "content": "hi"}], "max_tokens": MOST, **more}
    return json.dumps(asked).encode()


class Writer:
    """An upstream that writes as much as chance says, up to what the request allows."""

    def __init__(self, seed, least=1, seconds=0.05):
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._least, self._seconds = least, seconds
        self.dollars, self.running, self.most = [], 0, 0

    def __call__(self, sock):
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            tokens = self._chance.randint(self._least, MOST)
        time.sleep(self._seconds)
        with self._lock:
            self.running -= 1
            self.dollars.append((5 * 10 + 25 * tokens) / 1e6)
        usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        said = {"id": "c1", "object": "chat.completion", "created": 1, "model": "model-b", "choices": [choice]}
        sock.sendall(plain(json.dumps({**said, "usage": usage}).encode()))


def burst(ports, count, content=None):
    """That many requests at once, spread over the processes; the statuses."""
    found, lock = [], threading.Lock()

    def work(port):
        with Client(port) as client:
            client.send(request(PATH, content or body()))
            status = client.answer().status
        with lock:
            found.append(status)

    workers = [threading.Thread(target=work, args=(ports[number % len(ports)],)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("least", [1, MOST])
def test_a_burst_costs_the_budget_and_one_request_at_most(tmp_path, up, processes, least):
    """A hundred requests at once that may cost 80 dollars together: no more is spent than the budget and one of them,
    and nothing is refused before the budget is spent."""
    configured(tmp_path, f"guard.day_usd = {LIMIT}")
    up.default = [writer := Writer(7, least)]
    proxies = [proxy(tmp_path, up) for _ in range(processes)]
    try:
        for one in proxies:
            one.loaded()
        statuses = burst([one.port for one in proxies], 100)
        spent = sum(writer.dollars)
        refused = statuses.count(402)
        print(f"{processes} processes: {len(writer.dollars)} served, ${spent:.2f} of ${LIMIT}, {writer.most} at once")
        assert {*statuses} <= {200, 402}
        assert refused
        assert LIMIT <= spent <= LIMIT + max(writer.dollars)
        until(lambda: query(tmp_path, "SELECT spent FROM guard_books") == [(round(spent * 1e9),)])
    finally:
        for one in proxies:
            one.stop()


def test_a_single_agent_is_never_refused_for_what_is_reserved(tmp_path, up):
    """One request after the other, each of which may cost more than the whole budget, go until it is spent."""
    configured(tmp_path, "guard.day_usd = 0.5", patience="5s")
    up.default = [writer := Writer(3, seconds=0)]
    with proxy(tmp_path, up) as one:
        statuses = []
        while (statuses := statuses + burst([one.port], 1))[-1] == 200:
            assert sum(writer.dollars[:-1]) < 0.5
        assert statuses[-1] == 402
        assert sum(writer.dollars) >= 0.5


def test_one_that_finds_no_room_in_time_is_told_to_come_again(tmp_path, up):
    """It is no halt: 503 with retry-after, in the caller's form, and the running one is not disturbed."""
    configured(tmp_path, "guard.day_usd = 0.5", patience="1s")
    go = threading.Event()
    writer = Writer(3, seconds=0)
    up.default = [lambda sock: (go.wait(PATIENCE), writer(sock))]
    with proxy(tmp_path, up) as one, Client(one.port) as first, Client(one.port) as second:
        first.send(request(PATH, body()))
        up.wait(lambda up: len(up.seen) == 1)
        second.send(request(PATH, body()))
        assert until(lambda: [one for one in one.status()["running"] if one["waits"] == "room in a budget"])
        answer = second.answer()
        assert (answer.status, answer.field(b"retry-after"), answer.field(b"x-should-retry")) == (503, b"5", None)
        assert "reserved for running requests" in answer.json()["error"]["message"]
        assert one.status()["guard"]["state"] == "running"
        go.set()
        assert first.answer().status == 200
        second.send(request(PATH, body()))
        assert second.answer().status == 200


def test_an_answer_that_is_cut_counts_as_what_it_may_have_written(tmp_path, up):
    """timeouts.total ends it here, not at the upstream, which bills it: an SDK that repeats it comes to the budget."""
    configured(tmp_path, "guard.day_usd = 2\ntimeouts.total = '700ms'")
    up.default = [lambda sock: time.sleep(3)]
    with proxy(tmp_path, up) as one:
        statuses = [burst([one.port], 1)[0] for _ in range(4)]
        assert statuses == [504, 504, 504, 402]
        assert one.status()["guard"]["budgets"][0]["spent"] == pytest.approx(2.4, abs=0.01)


def test_a_lost_attempt_counts_beside_the_one_that_served(tmp_path, up):
    """The upstream broke off once the request was sent, and the next account served it: both may be billed."""
    configured(tmp_path, "guard.day_usd = 9\n[fallback]\n'*' = ['second:model-b']")
    up.script(lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{") or sock.shutdown(2))
    writer = Writer(3, MOST, seconds=0)
    up.default = [writer]
    backends = [backend("box", up.root), backend("second", up.root)]
    with Proxy(tmp_path, backends=backends, settings={"FAIRLEAD_DEFAULT_BACKEND": "box"}) as one:
        assert burst([one.port], 1, body(model="box:model-b")) == [200]
        assert until(lambda: one.status()["guard"]["budgets"][0]["spent"] == pytest.approx(1.6, abs=0.01))
