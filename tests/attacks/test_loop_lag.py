"""What hostile inputs cost everybody else, on a real proxy; loop_lag.py prints the figures."""

import pytest

from .hostile_inputs import CASES
from .loop_lag import World, measure, measure_catalog

LIMIT = 50.0
# Other programs on the machine make everything late: the best of some measurements counts.
TRIES = 4
# What the reader of request bodies is held to, and tested for, beside it.
OF_REQUESTS = [name for name in CASES if name.startswith("request: ")]


def best(measured):
    """The least 99th percentile of some measurements, in ms."""
    found = []
    for _ in range(TRIES):
        found.append(measured().p99)
        if found[-1] <= LIMIT:
            break
    return min(found)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A proxy and its upstream."""
    found = World(tmp_path_factory.mktemp("lag"))
    yield found
    found.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in OF_REQUESTS])
def test_a_hostile_upstream_holds_up_nobody(world, name):
    """/livez on another connection is answered within 50 ms at the 99th percentile."""
    assert best(lambda: measure(world, CASES[name])) <= LIMIT


@pytest.mark.slow
def test_a_hostile_catalog_holds_up_nobody(tmp_path_factory):
    """The same beside a catalog of 20,000 long names."""
    assert best(lambda: measure_catalog(tmp_path_factory.mktemp("catalog"), seconds=1.5)) <= LIMIT


def test_nothing_is_measured_as_nothing(world):
    """The measurement itself works: a proxy with nothing to do answers."""
    lag = measure(world, CASES["nothing"], seconds=0)
    assert 0 < lag.p50 <= lag.p99 <= lag.worst
