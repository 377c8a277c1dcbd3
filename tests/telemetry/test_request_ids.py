"""Ids of requests: in order of time, and no two alike."""

import os
import sys

import pytest

from router.telemetry.request_ids import RequestIds


def test_ids_differ():
    """Also of proxies that make theirs in the same millisecond."""
    proxies = [RequestIds() for _ in range(50)]
    made = [proxy.make() for _ in range(200) for proxy in proxies]
    assert len({*made}) == len(made)
    assert all(len(one) == 24 and one.startswith("req_") for one in made)


def test_ids_grow_with_the_time(monkeypatch):
    """One that is made later comes later in the index, whichever proxy makes it."""
    now = 1_700_000_000_000_000_000
    monkeypatch.setattr("router.telemetry.request_ids.time.time_ns", lambda: now)
    before = [RequestIds().make() for _ in range(50)]
    now += 1_000_000
    assert max(before) < min(RequestIds().make() for _ in range(50))


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_forked_processes():
    """Two that begin as copies of one have other numbers."""
    found = []
    for _ in range(2):
        reading, writing = os.pipe()
        if not os.fork():
            os.write(writing, RequestIds().make()[-9:].encode())
            os._exit(0)
        os.close(writing)
        found.append(os.read(reading, 99))
        os.close(reading)
        os.wait()
    assert found[0] != found[1]
