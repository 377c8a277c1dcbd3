"""Workers that are killed under load: who is served by another one notices nothing, and the port never refuses."""

import contextlib
import os
import signal
import threading
import time

from ..patience import PATIENCE
from .budgets import BODY, PATH, answer, query
from .processes import until
from .test_workers import proxy, pytestmark, workers_of
from .wire import Client, request

__all__ = ["pytestmark"]

KILLS = 5


class Crowd:
    """Clients that keep their connections and ask without a pause. cut: their ports on connections that broke.
    refused: the errors of new connections."""

    def __init__(self, port, count):
        self.served = 0
        self.cut, self.refused, self.statuses = [], [], set()
        self._port = port
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]

    def __enter__(self):
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for one in self._threads:
            one.join(PATIENCE)

    def _work(self):
        while not self._ended.is_set():
            try:
                client = Client(self._port)
            except OSError as error:
                self.refused.append(error)
                return
            with client:
                own = client.sock.getsockname()[1]
                try:
                    self._ask(client)
                except (OSError, AssertionError):
                    self.cut.append(own)

    def _ask(self, client):
        while not self._ended.is_set():
            client.send(request(PATH, BODY))
            found = client.answer()
            assert found is not None
            with self._lock:
                self.served += 1
                self.statuses.add(found.status)


def find_clients(pid, port):
    """The ports of the clients whose connections a process has."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as file:
            for line in file.readlines()[1:]:
                words = line.split()
                here, there = (int(words[at].rpartition(":")[2], 16) for at in (1, 2))
                if here == port and f"socket:[{words[9]}]" in inodes:
                    found.add(there)
    return found


def test_kills_in_a_loop(tmp_path, up):
    """Workers are killed one after another under load: only the connections of the killed one break, no new connection
    is refused, each worker is replaced, and each served request is recorded at most once."""
    up.default = [answer(5)]
    with proxy(tmp_path, up, workers=2) as one:
        assert one.status()  # all workers serve
        own = set()
        with Crowd(one.port, 8) as crowd:
            for kill in range(KILLS):
                served = crowd.served
                assert until(lambda served=served: crowd.served > served + 20)
                pids = workers_of(one)
                victim = pids[kill % len(pids)]
                # It accepts nothing more while its clients are listed.
                os.kill(victim, signal.SIGSTOP)
                assert until(lambda victim=victim: state_of(victim) == "T")
                own |= find_clients(victim, one.port)
                os.kill(victim, signal.SIGKILL)
                assert until(lambda victim=victim: victim not in workers_of(one)), one.said()
                assert until(lambda: len(ready_of(one)) == 2), one.said()
        assert (crowd.refused, crowd.statuses) == ([], {200})
        assert {*crowd.cut} <= own, one.said()
        assert one.log.read_text().count("was ended by SIGKILL; another one starts") == KILLS
        served = crowd.served
    ids = query(tmp_path, "SELECT count(*), count(DISTINCT id) FROM requests")
    assert ids[0][0] == ids[0][1] <= served + len(crowd.cut)


def state_of(pid):
    """The letter of a process's state."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def ready_of(one):
    """The workers that listen: those that have begun to serve have threads beside the first."""
    found = []
    for pid in workers_of(one):
        try:
            if len(os.listdir(f"/proc/{pid}/task")) > 1:
                found.append(pid)
        except FileNotFoundError:
            continue
    return found


def test_a_signal_to_all_at_once(tmp_path, up):
    """Where a service manager or a terminal tells every process to stop, running answers still end whole."""
    release = threading.Event()

    def slow(sock):
        release.wait(PATIENCE)
        sock.sendall(answer(5))

    up.default = [slow]
    with proxy(tmp_path, up, workers=2) as one, contextlib.ExitStack() as closing:
        clients = [closing.enter_context(Client(one.port)) for _ in range(6)]
        for client in clients:
            client.send(request(PATH, BODY))
        assert until(lambda: one.status()["running_count"] == 6)
        for pid in (*workers_of(one), one.process.pid):
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.3)  # what a worker that ended too early would need for it
        release.set()
        assert [client.answer().status for client in clients] == [200] * 6
        assert one.process.wait(PATIENCE) == 0, one.said()
