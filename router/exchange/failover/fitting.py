"""Keeps a request away from models that cannot hold it.

The model that it was routed to is left out only for a limit that is known of this backend (the user's setting, an error
of it, what a local server has allocated). A model of the fallback chain is left out for any limit that is known: a
conversation is not handed on to where it cannot go on. What servers have allocated changes with each start, so it is
asked for again before a request is refused for it.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial

from router.errors import ContextOverflow
from router.exchange.body.upload import Upload
from router.exchange.context import RequestContext
from router.exchange.failover.failure import passed_over
from router.exchange.request.token_estimate import estimate_input, find_lower_edge, gauge_lower_edge
from router.ir.overflow import Overflow
from router.policy.facts.book import FactBook
from router.policy.facts.fit import Fit, may_exceed
from router.policy.facts.model_facts import ALLOCATED, LEARNED, Fact
from router.policy.facts.words import format_origin
from router.policy.routing.fallback import format_route
from router.policy.routing.routes import Route
from router.upstream.catalogs import ALLOCATED_SECONDS
from router.wire.protocol import WireProtocol

#: Seconds that a refusal waits for a server to say what it has allocated by now.
_ASK_SECONDS = 3.0
# A request with this in a header asks for a larger window than the usual.
_LARGER_WINDOW = b"context-1m"


def is_suspect(context: RequestContext, routes: Sequence[Route]) -> bool:
    """True for a request that is large enough to be judged. Most are not, and cost a few look-ups here."""
    if not context.call.writes or isinstance(context.body, Upload):
        return False
    facts, first = context.snapshot.facts, routes[0]
    if len(routes) == 1 and not facts.may_limit(first.backend.name, first.model or ""):
        return False
    size = len(context.body.data)
    found = find_limits(facts, routes, raised=asks_larger_window(context.request.fields))
    limits = [limit for limit in found if limit is not None and may_exceed(size, limit)]
    if not limits:
        return False
    tokens = gauge_lower_edge(context)
    return not all(Fit(tokens, limit).fits for limit in limits)


async def select_fitting(context: RequestContext, routes: Sequence[Route]) -> Sequence[Route]:
    """The routes whose models may hold a request that is suspect. Raises ContextOverflow when none can."""
    raised = asks_larger_window(context.request.fields)
    limits = find_limits(context.snapshot.facts, routes, raised=raised)
    tokens = await find_lower_edge(context, context.body.data)
    if await _ask_again(context, routes, limits, tokens):
        limits = find_limits(context.runtime.snapshot.facts, routes, raised=raised)
    fits = [None if limit is None else Fit(tokens, limit) for limit in limits]
    fitting = [route for route, fit in zip(routes, fits, strict=True) if fit is None or fit.fits]
    for route, fit in zip(routes, fits, strict=True):
        if fit is not None and not fit.fits:
            context.record.note(passed_over(format_route(route), explain_unfit(fit)))
    if not fitting:
        about = estimate_input(context, b"").estimate
        raise make_error(context.call.entry, [fit for fit in fits if fit is not None], about)
    return fitting


def asks_larger_window(fields: Mapping[bytes, bytes]) -> bool:
    """True for a request whose headers, by lower-case name, ask for a larger window than a model's usual one."""
    return _LARGER_WINDOW in fields.get(b"anthropic-beta", b"")


def find_limits(facts: FactBook, routes: Sequence[Route], *, raised: bool) -> list[Fact | None]:
    """For each route the limit that it is left out for, None for none; the first is the one that was chosen, the others
    are those of the chain. raised: as `asks_larger_window` says."""
    first, *hops = routes
    now = time.time()
    find = partial(facts.find_refusing_limit, now=now, raised=raised)
    limit = find(first.backend.name, first.model or "")
    return [limit, *(find(hop.backend.name, hop.model or "", of_chain=True) for hop in hops)]


async def _ask_again(
    context: RequestContext, routes: Sequence[Route], limits: Sequence[Fact | None], tokens: int
) -> bool:
    """Ask the servers again that say what they have allocated, where that or an error is the limit, unless they said
    so a moment ago; True when one was asked."""
    facts = context.snapshot.facts
    asked = False
    for route, limit in zip(routes, limits, strict=True):
        if limit is None or limit.source not in (ALLOCATED, LEARNED) or Fit(tokens, limit).fits:
            continue
        at = facts.allocated_at(route.backend.name, route.model or "")
        if at is not None and not 0 <= time.time() - at < ALLOCATED_SECONDS:
            await context.runtime.catalogs.read_again(route.backend.name, _ASK_SECONDS)
            asked = True
    return asked


def explain_unfit(fit: Fit) -> str:
    """Why a route is left out."""
    return f"at least {fit.tokens:,} tokens do not fit {fit.most:,} ({format_origin(fit.limit)})"


def make_error(entry: WireProtocol, fits: Sequence[Fit], about: int) -> ContextOverflow:
    """The error in the words of the caller's API, with the largest of all limits. about: the estimate of the input's
    tokens; a client that shortens its conversation by the numbers needs that rather than the least."""
    fit = max(fits, key=lambda one: one.most)
    return ContextOverflow(entry.say_overflow(Overflow(input=max(fit.tokens, about), max_input=fit.most), ""))
