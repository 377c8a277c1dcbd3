"""Cards of backends that tests serve on loopback, made in a home of their own."""

import trio

from router.backends import Account, Backend
from router.backends.profile import Profile
from router.conform.bench import Bench
from router.conform.budget import Budget
from router.conform.client import Client
from router.conform.probes.table import PROBES
from router.conform.run import Plan, make_card
from router.demo import PROTOCOLS, Demo
from router.net.client.outbound import DIRECT
from router.settings import Settings
from router.store.keys.own_keys import OwnKeys
from router.upstream.credentials import Credentials
from router.upstream.targets import targets_of

KEY = "sk-very-secret-key-0123456789"


def make_backend(root, **fields):
    """A backend with one key, which speaks all three protocols."""
    given = {"name": "tried", "root": root, "protocols": PROTOCOLS, "accounts": (Account("main", KEY),), **fields}
    return Backend(**given)


def make_plan(backend, names=(), **fields):
    """A plan for some probes or groups, all by default."""
    probes = [probe for probe in PROBES.values() if not names or probe.id in names or probe.group in names]
    given = {
        "settings": Settings(),
        "credentials": Credentials({}, OwnKeys()),
        "way": DIRECT,
        "model": "demo",
        "probes": probes,
    }
    return Plan(backend, **{**given, **fields})


def run_plan(backend, names=(), **fields):
    """The result of a run."""
    return trio.run(make_card, make_plan(backend, names, **fields))


def run_against(application, names=(), backend=(), **fields):
    """The result of a run against an upstream that is served meanwhile. backend: as for make_backend."""

    async def serve():
        async with trio.open_nursery() as nursery:
            root = await nursery.start(application.serve)
            result = await make_card(make_plan(make_backend(f"{root}/v1", **dict(backend)), names, **fields))
            nursery.cancel_scope.cancel()
        return result

    return trio.run(serve)


def verdicts(result):
    """Probe -> verdict."""
    return {row.id: row.verdict for row in result.rows}


def make_bench(root, **fields):
    """A bench of which nothing is billed."""
    backend = make_backend(root, **fields)
    target = targets_of(backend, Settings(), Credentials({}, OwnKeys()), DIRECT)[0]
    budget = Budget(1.0, lambda tokens: (None, ""), free=True)
    return Bench(backend, "demo", Profile(), Client(target, {}), budget)


__all__ = ["KEY", "Demo", "make_backend", "make_bench", "make_plan", "run_against", "run_plan", "verdicts"]
