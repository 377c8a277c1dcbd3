"""Equal requests that run together: one asks the backend, the others wait for its answer."""

import threading

from .caching import body, state
from .processes import until
from .samples import CHAT
from .upstream import plain
from .wire import Client, ask, request


class Gate:
    """A step of an upstream's script that waits until it is opened."""

    def __init__(self):
        self.opened = threading.Event()

    def __call__(self, sock):
        assert self.opened.wait(10)


def ask_together(proxy, asked, count, results):
    """Threads that ask the same at once."""
    threads = [threading.Thread(target=lambda: results.append(ask(proxy.port, CHAT.path, asked))) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def waiting(proxy):
    """How many requests wait for the answer to an equal one."""
    running = proxy.operate("/status").json()["running"]
    return sum(one["waits"] == "the answer to an equal request" for one in running)


def test_one_of_several_asks(cached, up):
    """Equal requests that run together ask the backend once; all get its answer."""
    proxy, gate, results = cached(), Gate(), []
    up.script(gate, plain(CHAT.whole))
    threads = ask_together(proxy, body(CHAT), 8, results)
    assert until(lambda: waiting(proxy) == 7)
    gate.opened.set()
    for thread in threads:
        thread.join()
    assert sorted(state(one) for one in results) == ["hit"] * 7 + ["miss"]
    assert {one.body for one in results} == {CHAT.whole}
    assert len(up.seen) == 1


def test_the_one_that_asks_fails(cached, up):
    """Then the next of those that wait asks; each failure is the answer of one request alone."""
    proxy, gate, results = cached(), Gate(), []
    up.script(gate, plain(b'{"error":{"message":"no"}}', b"400 Bad Request"))
    up.default = [plain(CHAT.whole)]
    threads = ask_together(proxy, body(CHAT), 4, results)
    assert until(lambda: waiting(proxy) == 3)
    gate.opened.set()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in results) == [200, 200, 200, 400]
    assert sorted(state(one) for one in results) == ["hit", "hit", "miss", "miss"]
    assert len(up.seen) == 2


def test_the_one_that_asks_leaves(cached, up):
    """When its client hangs up, the next of those that wait asks."""
    proxy, gate, results = cached(), Gate(), []
    up.script(gate, plain(CHAT.whole))
    up.default = [plain(CHAT.whole)]
    with Client(proxy.port) as leaving:
        leaving.send(request(CHAT.path, body(CHAT)))
        up.wait(lambda one: len(one.seen) == 1)
        threads = ask_together(proxy, body(CHAT), 2, results)
        assert until(lambda: waiting(proxy) == 2)
    for thread in threads:
        thread.join()
    gate.opened.set()
    assert sorted(state(one) for one in results) == ["hit", "miss"]


def test_one_that_waits_leaves(cached, up):
    """A client that hangs up while it waits ends at once, and the others go on."""
    proxy, gate, results = cached(), Gate(), []
    up.script(gate, plain(CHAT.whole))
    threads = ask_together(proxy, body(CHAT), 1, results)
    up.wait(lambda one: len(one.seen) == 1)
    with Client(proxy.port) as leaving:
        leaving.send(request(CHAT.path, body(CHAT)))
        assert until(lambda: waiting(proxy) == 1)
    assert until(lambda: waiting(proxy) == 0)
    gate.opened.set()
    threads[0].join()
    assert [state(one) for one in results] == ["miss"]


def test_what_cannot_be_kept_is_not_waited_for_twice(cached, up):
    """Those that waited for an answer that is not kept ask for themselves, all at once."""
    proxy, gate, results = cached(), Gate(), []
    cut = plain(CHAT.whole.replace(b'"stop"', b'"length"'))
    up.script(gate, cut)
    for _ in range(3):
        up.script(lambda _: up.wait(lambda one: len(one.seen) == 4), cut)
    threads = ask_together(proxy, body(CHAT), 4, results)
    assert until(lambda: waiting(proxy) == 3)
    gate.opened.set()
    for thread in threads:
        thread.join()
    assert [state(one) for one in results] == ["miss"] * 4
