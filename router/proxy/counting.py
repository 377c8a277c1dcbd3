"""Counting the tokens of a request at a backend that is asked in another protocol (translation.md 10.8).

The backend counts where it can; else the size of the body says it, and the answer is flagged. It is never refused for
want of an endpoint: Claude Code asks for counts by the dozen.
"""

import math

from router.ir import Loss
from router.net.client import Exchange as Upstream
from router.policy.traits import BYTES_PER_TOKEN
from router.proxy import translating
from router.proxy.edits import Edited, edit
from router.proxy.ticket import Ticket
from router.proxy.translated import Translated
from router.wire import base, translate
from router.wire.peek import Top
from router.wire.translate import Plan


def planned(ticket: Ticket) -> Plan:
    """The plan for the request whose tokens are counted."""
    assert ticket.route is not None
    assert ticket.facts is not None
    return translating.planned(ticket.call, ticket.route, ticket.snapshot, shown=ticket.facts.model or "", stream=False)


def question(ticket: Ticket, body: bytes, top: Top) -> Edited | None:
    """What asks the backend: in its own protocol where that can count, in the caller's where it counts for that too;
    None: it does not count. Raises RouterError."""
    assert ticket.route is not None
    assert ticket.target is not None
    plan = planned(ticket)
    notes = ticket.record.notes
    if plan.spoken in translate.COUNTS:
        plan.path = translate.COUNTS[plan.spoken][0]
        edited, _, said = translating.rewritten(body, plan, ticket.call, ticket.route, ticket.target)
        ticket.plan = plan
        notes += said
        return edited
    if plan.ctx.profile.counts != plan.caller:
        return None
    return edit(body, top, call=ticket.call, route=ticket.route, target=ticket.target, probe=False, notes=notes)


async def answer(ticket: Ticket, upstream: Upstream) -> Upstream | None:
    """The backend's count as the caller's protocol says it; None when it gave none."""
    found = base.decoded(await translating.whole(ticket, upstream)) or {}
    upstream.release()
    tokens = base.count(found.get("input_tokens"))
    if upstream.status != 200 or tokens is None:
        return None
    ticket.plan = ticket.plan or planned(ticket)
    return _told(ticket, ticket.plan, tokens)


def estimated(ticket: Ticket, body: bytes) -> Upstream:
    """An estimate in place of a count that the upstream does not offer; it is flagged as one."""
    plan = ticket.plan = planned(ticket)
    plan.ctx.losses.append(Loss("input_tokens", "weakened"))
    plan.asked = len(plan.ctx.losses)
    ticket.record.estimated = True
    ticket.record.notes.append("tokens estimated")
    return _told(ticket, plan, math.ceil(len(body) / BYTES_PER_TOKEN))


def _told(ticket: Ticket, plan: Plan, tokens: int) -> Upstream:
    answer = Translated(None, [translate.count_answer(tokens, plan.caller)])
    answer.status, answer.reason = 200, b"OK"
    answer.lines = [translating.JSON]
    answer.fields = {b"content-type": translating.JSON[2]}
    ticket.upstream = answer
    return answer
