"""Counting the tokens of a request at a backend that is asked in another protocol (translation.md 10.8).

The backend counts where it can; else the size of the body says it, and the answer is flagged. It is never refused for
want of an endpoint: Claude Code asks for counts by the dozen.
"""

import math

from router.exchange.context import Ticket
from router.exchange.request import translation
from router.exchange.request.edits import Edited, edit
from router.exchange.upstream_response.error_peek import said
from router.exchange.upstream_response.translated import Translated
from router.ir import Loss
from router.net.client.exchange import Exchange as Upstream
from router.policy.routing.request_traits import BYTES_PER_TOKEN
from router.wire import count_tokens
from router.wire.raw import json_values
from router.wire.raw.top_level import Top
from router.wire.translate import Plan


def planned(ticket: Ticket) -> Plan:
    """The plan for the request whose tokens are counted."""
    assert ticket.route is not None
    assert ticket.facts is not None
    return translation.planned(ticket.call, ticket.route, ticket.snapshot, shown=ticket.facts.model or "", stream=False)


def question(ticket: Ticket, body: bytes, top: Top) -> Edited | None:
    """What asks the backend: in its own protocol where that can count, in the caller's where it counts for that too;
    None: it does not count. Raises RouterError."""
    assert ticket.route is not None
    assert ticket.target is not None
    plan = planned(ticket)
    if plan.spoken in count_tokens.COUNTS:
        plan.path = count_tokens.COUNTS[plan.spoken][0]
        edited, _, more = translation.rewritten(body, plan, ticket.call, ticket.route, ticket.target)
        ticket.plan = plan
        ticket.record.note(*more)
        return edited
    if plan.ctx.profile.counts != plan.caller:
        return None
    notes: list[str] = []
    edited = edit(body, top, call=ticket.call, route=ticket.route, target=ticket.target, probe=False, notes=notes)
    ticket.record.note(*notes)
    return edited


async def answer(ticket: Ticket, upstream: Upstream) -> Upstream | None:
    """The backend's count as the caller's protocol says it, as it came where it does; None when it gave none."""
    found = json_values.decoded(await said(upstream)) if upstream.status == 200 else None
    tokens = json_values.count(found.get("input_tokens")) if found is not None else None
    if tokens is not None and ticket.plan is None:
        return upstream
    upstream.release()
    return None if tokens is None or ticket.plan is None else _told(ticket, ticket.plan, tokens)


def estimated(ticket: Ticket, body: bytes) -> Upstream:
    """An estimate in place of a count that the upstream does not offer; it is flagged as one."""
    plan = ticket.plan = planned(ticket)
    plan.ctx.losses.append(Loss("input_tokens", "weakened"))
    plan.asked = len(plan.ctx.losses)
    ticket.record.estimated = True
    ticket.record.note("tokens estimated")
    return _told(ticket, plan, math.ceil(len(body) / BYTES_PER_TOKEN))


def _told(ticket: Ticket, plan: Plan, tokens: int) -> Upstream:
    answer = Translated(None, [count_tokens.answer(tokens, plan.caller)])
    answer.status, answer.reason = 200, b"OK"
    answer.lines = [translation.JSON]
    answer.fields = {b"content-type": translation.JSON[2]}
    ticket.upstream = answer
    return answer
