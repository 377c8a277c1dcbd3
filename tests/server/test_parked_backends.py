"""Which changes of accounts the user is told of, on a clock that a test sets."""

import pytest

from router.policy.accounts.pool import ANY
from router.server.parked_backends import LEAST_SECONDS, ParkedBackends
from router.settings import Settings
from router.upstream.compose import compose
from router.upstream.configuration import Configuration

from ..upstream.runtimes import backend
from ..upstream.services import members, service, two_accounts


class Told:
    """Keeps what is told, in the place of a Notifier."""

    def __init__(self):
        self.lines = []

    def tell(self, kind, subject, text):
        self.lines.append((kind, subject, text))


class Site:
    """A proxy's backends, and what the user was told of them."""

    def __init__(self, home, log):
        backends = (two_accounts(), backend("alone"))
        self.runtime = compose(Configuration(Settings(demo=False), backends), home, log)
        self.told = self.runtime.notifier = Told()
        self.now = 1000.0
        self.watch = ParkedBackends(self.runtime, clock=lambda: 1e9 + self.now)
        for name in ("up", "alone"):
            service(self.runtime, name).queue.clock = lambda: self.now

    def park(self, alias, seconds, name="up", **more):
        pool = service(self.runtime, name).pool
        pool.park(members(self.runtime, name)[alias], self.now, seconds, "429 window", **more)

    def look(self, seconds=0.0):
        """What is told of after so many seconds: kind and backend of each."""
        self.now += seconds
        known = len(self.told.lines)
        self.watch.look()
        return [line[:2] for line in self.told.lines[known:]]


@pytest.fixture
def site(home, silent_log):
    return Site(home, silent_log)


def test_a_backend_is_parked_with_its_last_account(site):
    """Told once; and once when the first account is ready again, not of the second."""
    site.park("a0", 600)
    assert site.look() == []
    site.park("a1", 300)
    assert site.look() == [("parked", "up")]
    assert site.look(299) == []
    assert site.look(1) == [("back", "up")]
    assert site.look(300) == []
    [parked, back] = [text for *_, text in site.told.lines]
    assert parked.startswith("fairlead: no account of up is ready: a1 parked until ")
    assert parked.endswith(". See: fairlead accounts list up")
    assert "sk-" not in parked
    assert back == "fairlead: up can serve again: its account a1 is ready."


def test_an_account_that_serves_before_its_time_is_back(site):
    """As where money was paid in, and the hourly try found it."""
    site.park("main", 600, "alone", spent=True)
    assert site.look() == [("parked", "alone")]
    member = members(site.runtime, "alone")["main"]
    service(site.runtime, "alone").pool.reopen(member, site.now + 1)
    assert site.look(1) == [("back", "alone")]


def test_a_short_wait_is_not_told(site):
    """Neither its begin nor its end; one that gets longer is."""
    site.park("main", LEAST_SECONDS - 1, "alone")
    assert site.look() == []
    assert site.look(LEAST_SECONDS) == []
    site.park("main", LEAST_SECONDS - 1, "alone")
    assert site.look() == []
    site.park("main", LEAST_SECONDS, "alone")
    assert site.look() == [("parked", "alone")]


def test_a_rejected_key_is_told_as_cooling(site):
    """The text says which state it is."""
    pool, member = service(site.runtime, "alone").pool, members(site.runtime, "alone")["main"]
    pool.cool_down(member, site.now, site.now, "401")
    assert site.look() == [("parked", "alone")]
    assert "main cooling until " in site.told.lines[0][2]


def test_models_alone_are_not_told(site):
    """An account that is closed to some models serves the others."""
    site.park("main", 600, "alone", models="opus")
    assert site.look() == []
    assert service(site.runtime, "alone").pool.can_choose(site.now, ANY)


def test_what_cannot_be_used_is_no_account(site):
    """A backend is parked when those with a key are; without any it is not told of."""
    site.park("a1", 600)
    members(site.runtime)["a0"].usable = False
    members(site.runtime, "alone")["main"].usable = False
    assert site.look() == [("parked", "up")]
    assert "a0" not in site.told.lines[0][2]


def test_a_backend_that_is_gone_does_not_come_back(site):
    """A backend removed while it is parked is forgotten, and one of that name told of anew."""
    site.park("main", 600, "alone")
    assert site.look() == [("parked", "alone")]
    before = site.runtime.snapshot
    site.runtime.snapshot = type("Snapshot", (), {"services": {}})
    assert site.look(600) == []
    site.runtime.snapshot = before
    assert site.look() == []
    site.park("main", 600, "alone")
    assert site.look() == [("parked", "alone")]
