"""One web search by the engine that the user named: admitted by the guard, made, and noted in the record."""

import time

from router.budget.demand import Demand
from router.errors import BadGateway, Halted
from router.exchange.attempt import note_try
from router.exchange.context import RequestContext
from router.exchange.error_text import describe_error
from router.ir import Extras, Searched, Usage, WebSearch
from router.net.server.cancel_reason import CancelReason
from router.policy.routing.clients import identify_client
from router.policy.routing.table import SEARCH
from router.telemetry.accesslog import BUDGET, SEARCHING, RequestRecord
from router.upstream.search import Engine, SearchFailed, search
from router.wire.costs.cost_traits import CostTraits
from router.wire.search_engines.results import Result

#: What of a search has no price while the user has not said what it costs.
UNPRICED = "web searches (search.usd_per_1000 is not set)"


async def search_once(
    context: RequestContext, record: RequestRecord, engine: Engine, query: str, limits: WebSearch
) -> tuple[Searched, list[Result]]:
    """Make one search, and note it in the record as a try, with what it costs."""
    runtime = context.runtime
    tried = note_try(record, context.elapsed())
    before, record.waits = record.waits, SEARCHING
    try:
        results = await search(engine, query, limits, runtime.credentials, context.snapshot.outbound)
    except SearchFailed as failed:
        tried.status, tried.error, tried.done = failed.status, "search_failed", "given up"
        tried.text = record.text = describe_error(context, BadGateway(str(failed)))
        record.error = "search_failed"
        record.usage = Usage(0, 0, charge=0)
        return Searched((query,), error=failed.code), []
    finally:
        record.waits = before
    tried.status = 200
    uncounted = "" if engine.charge is not None else UNPRICED
    record.usage = Usage(0, 0, charge=engine.charge, extras=Extras(searches=1, uncounted=uncounted))
    return Searched((query,), tuple(result.page for result in results)), results


async def admit_search(context: RequestContext, record: RequestRecord, engine: Engine, *, within: str = "") -> None:
    """Ask the guard for a search, which counts under the record's id. within: the id of the request that it is made
    for, whose reservation holds its price. Raises Halted."""
    guard = context.runtime.guard
    rules = guard.rules
    if rules is None:
        return
    demand = Demand(
        record.id,
        SEARCH,
        engine.name,
        record.tag,
        "",
        "",
        context.request.method,
        context.call.path,
        True,
        0,
        engine.charge is not None,
        CostTraits(output=0, uncounted="" if engine.charge is not None else UNPRICED),
        context.snapshot.settings.timeouts_total - context.elapsed(),
        fee=engine.charge or 0,
        within=within,
        key=record.key,
    )

    def wait(seconds: float) -> None:
        record.waits = BUDGET
        context.connection.set_deadline(seconds, CancelReason.TOTAL)

    before = record.waits
    try:
        await guard.admit(demand, rules, wait)
    except Halted as refusal:
        refusal.status = context.call.entry.halt_status
        raise
    finally:
        record.waits = before


def make_record(context: RequestContext, engine: Engine, number: int) -> RequestRecord:
    """The record of a search that is made within another request. number: of the searches of that one."""
    of, request = context.record, context.request
    return RequestRecord(
        f"{of.id}-s{number}",
        time.time(),
        of.method,
        of.path,
        protocol=of.protocol,
        model=of.model,
        backend=SEARCH,
        account=engine.name,
        route=SEARCH,
        tag=of.tag,
        key=of.key,
        client=identify_client(request.fields),
    )
