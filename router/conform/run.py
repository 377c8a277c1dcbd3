"""Makes the card of a backend: finds its model, runs the probes within the budget, compares with the profile."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from router import __version__
from router.backends import Backend
from router.backends.known import price_root, text_model
from router.conform import card_file, catalog
from router.conform.age import compute_fingerprint
from router.conform.bench import Bench
from router.conform.budget import Budget
from router.conform.client import SECONDS, Client
from router.conform.evidence import Evidence
from router.conform.probe import Probe
from router.conform.probes.table import PROBES, USUAL
from router.conform.profile_diff import find_differences, merge_differences
from router.conform.record import Card, Row, Unknown
from router.conform.runner import format_now, run_probes
from router.errors import CommandError
from router.ir.overflow import Overflow
from router.net.client.outbound import Outbound
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.prices import Prices
from router.settings import Secret, Settings
from router.settings.tables import BackendOptions
from router.upstream.credentials import Credentials
from router.upstream.targets import habits_of, targets_of, with_key

Note = Callable[[Probe, Row | None], None]


class Plan(NamedTuple):
    """What is to be run."""

    backend: Backend
    settings: Settings
    credentials: Credentials
    #: As `cli.common.probe_backend.build_outbound` gives it: its headers go with every request.
    way: Outbound
    #: None takes one from the backend's list.
    model: str | None = None
    probes: Sequence[Probe] = USUAL
    #: US dollars.
    budget: float = 0.05
    #: Nobody bills its tokens, whatever its URL is.
    free: bool = False
    #: Where the backend is, in place of its root: that of a demo has another port in each run.
    place: str = ""
    #: Seconds of one request.
    seconds: float = SECONDS
    #: The card before, whose rows stay where this run has none.
    find_card: Callable[[str], Card | None] = lambda model: None


class Result(NamedTuple):
    """What a run gave."""

    card: Card
    #: The rows of this run alone.
    rows: Sequence[Row]
    #: The limit that an error told, None where none did.
    overflow: Overflow | None = None


async def make_card(
    plan: Plan, note: Note = lambda probe, row: None, started: Callable[[Budget], None] = lambda _: None
) -> Result:
    """Run the probes. note: as for `run_probes`. started: called once the model is known. Raises CommandError."""
    target = await with_key(targets_of(plan.backend, plan.settings, plan.credentials, plan.way)[0], plan.credentials)
    client = Client(target, plan.way.headers, plan.way.roots, seconds=plan.seconds)
    hidden = [*target.hidden, *(Secret(value) for value in plan.way.headers.values() if len(value) >= 8)]
    try:
        bench = await _make_bench(plan, client)
        started(bench.budget)
        rows, findings = await run_probes(bench, plan.probes, Evidence(hidden), note)
        fingerprint = await _find_fingerprint(bench)
    finally:
        client.close()
    place = plan.place or plan.backend.root
    before = card_file.check_current(plan.find_card(bench.model), place, fingerprint)
    merged = card_file.merge_rows(before, rows, PROBES)
    card = Card(
        fairlead=__version__,
        date=min((row.date for row in merged), default=format_now()),
        backend=plan.backend.name,
        root=place,
        model=bench.model,
        fingerprint=fingerprint or (before.fingerprint if before is not None else ""),
        probes=tuple(merged),
        profile_diff=tuple(
            merge_differences(
                bench.profile,
                before.profile_diff if before is not None else (),
                find_differences(bench.profile, findings),
                [row.id for row in rows if row.verdict != "unknown"],
            )
        ),
        requests=bench.budget.requests,
        tokens_in=bench.budget.tokens_in,
        tokens_out=bench.budget.tokens_out,
        cost=bench.budget.dollars,
        price_source=bench.budget.source,
    )
    return Result(card, rows, bench.overflow)


async def _find_fingerprint(bench: Bench) -> str:
    """What the list of models says of the model's build, '' where it cannot be read."""
    if not bench.answers:
        return ""
    try:
        entries = catalog.list_entries(await catalog.read_list(bench))
    except Unknown:
        return ""
    return compute_fingerprint(catalog.find_entry(entries, bench.model))


async def _make_bench(plan: Plan, client: Client) -> Bench:
    """The bench with its model. Raises CommandError where no model can be named."""
    backend = plan.backend
    options = plan.settings.backends.get(backend.name, BackendOptions())
    prices, own, root = Prices(), plan.settings.prices, price_root(backend)

    def make(model: str) -> Bench:
        def price(tokens: TokenCounts) -> tuple[int | None, str]:
            return prices.cost(root, model, tokens, time.time(), own)

        budget = Budget(plan.budget, price, free=plan.free or not root)
        return Bench(backend, model, habits_of(backend, options, model), client, budget)

    if plan.model is not None:
        return make(plan.model)
    looking = make("")
    try:
        reply = await catalog.read_list(looking)
    except Unknown as error:
        raise CommandError(f"the model list of {backend.name} was not read: {error}.") from None
    model = text_model(backend, [str(one["id"]) for one in catalog.list_entries(reply)])
    if not model:
        place = urlsplit(backend.root).netloc
        said = f"{place} could not be asked: {reply.problem}" if not reply.status else "its list names no model"
        raise CommandError(
            f"no model of {backend.name} is known: {said.rstrip('.')}.",
            f"Name one:   fairlead conform {backend.name} --model MODEL",
        )
    bench = make(model)
    bench.adopt(looking)
    return bench
