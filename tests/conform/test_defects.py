"""The whole card of the demo, and of the demo with each defect: each flips its own row and no other."""

import socket

import pytest
import trio

from router.conform.probes.table import PROBES
from router.conform.run import make_card
from router.demo import PROTOCOLS

from .benches import Demo, make_backend, make_plan
from .defective import DEFECTS, Defective

#: Flipped by the way to the backend, or by what is known of it, and not by its answers.
OF_THE_PLACE = ("reach.tls", "money.price")
#: At once.
CARDS = 6


async def run_whole(application, host="127.0.0.1", protocols=PROTOCOLS, **fields):
    """The rows of a whole card of an upstream that is served meanwhile."""
    async with trio.open_nursery() as nursery:
        root = await nursery.start(application.serve)
        plan = make_plan(
            make_backend(f"{root}/v1".replace("127.0.0.1", host), protocols=protocols),
            **{"model": "demo-full", "free": True, **fields},
        )
        found = await make_card(plan)
        nursery.cancel_scope.cancel()
    return {row.id: row for row in found.rows}


@pytest.fixture(scope="module")
def cards():
    """Name of a defect, '' for none -> the rows of the card."""
    found = {}

    async def run(name, turn):
        async with turn:
            found[name] = await run_whole(Defective(DEFECTS[name]) if name else Demo(word_delay=0))

    async def main():
        turn = trio.CapacityLimiter(CARDS)
        async with trio.open_nursery() as nursery:
            for name in ("", *DEFECTS):
                nursery.start_soon(run, name, turn)

    trio.run(main)
    return found


def test_each_probe_has_a_defect():
    """No probe is left out."""
    assert {*DEFECTS, *OF_THE_PLACE} == set(PROBES)


def test_the_demo_is_all_yes(cards):
    """The demo has all that can be asked for."""
    assert {name: row for name, row in cards[""].items() if row.verdict != "yes"} == {}
    assert set(cards[""]) == set(PROBES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_protocol_is_enough(protocol):
    """The card of a demo that is asked in one protocol only says yes to all that this protocol has."""
    rows = trio.run(lambda: run_whole(Demo(word_delay=0), protocols=(protocol,)))
    others = {name: row for name, row in rows.items() if row.verdict != "yes"}
    # Those of other protocols are served, which the configuration does not say.
    assert {name for name, row in others.items() if row.verdict == "partly"} == {
        f"protocols.{name}" for name in PROTOCOLS if name != protocol
    }
    unknown = {name: row.evidence for name, row in others.items() if row.verdict != "partly"}
    assert all(said.startswith("it does not speak") for said in unknown.values()), unknown
    # The groups of other protocols' own probes are not asked in one that has its own.
    own = {name for name in PROBES if name.startswith(("reach.", "gemini.", "limits.latency"))}
    assert len(unknown) < 25 if protocol != "gemini" else not own & set(unknown)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_flips_its_row_alone(cards, name):
    """Its row says partly or no; others say yes, or that a protocol which is missing cannot be asked."""
    rows = dict(cards[name])
    assert rows.pop(name).verdict in ("no", "partly")
    others = {other: row for other, row in rows.items() if row.verdict != "yes"}
    if name.startswith("protocols."):
        others = {other: row for other, row in others.items() if "it does not speak" not in row.evidence}
    assert others == {}


class LocalNames(trio.abc.HostnameResolver):
    """Finds every name on this machine."""

    async def getaddrinfo(self, host, port, *hints, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", int(port)))]

    async def getnameinfo(self, sockaddr, flags):
        raise NotImplementedError


def test_plain_http_to_a_public_host_flips_its_row_alone():
    """A backend whose keys can be read on the way is told."""

    async def run():
        trio.socket.set_custom_hostname_resolver(LocalNames())
        return await run_whole(Demo(word_delay=0), host="models.example.com")

    rows = trio.run(run)
    assert {name: row.verdict for name, row in rows.items() if row.verdict != "yes"} == {"reach.tls": "no"}


def test_a_missing_price_flips_its_row_alone():
    """A model without a known price is told, and all else is still asked within the bound of tokens."""
    probes = [probe for probe in PROBES.values() if not probe.dear]
    rows = trio.run(lambda: run_whole(Demo(word_delay=0), free=False, probes=probes))
    assert {name: row.verdict for name, row in rows.items() if row.verdict != "yes"} == {"money.price": "no"}
