"""Counting the tokens of a Messages request at a backend that is asked in another protocol (translation.md 10.8)."""

import math

import msgspec

from router.ir import Loss
from router.net.client import Exchange as Upstream
from router.proxy import translating
from router.proxy.edits import Edited, edit
from router.proxy.refusals import said
from router.proxy.ticket import Ticket
from router.proxy.translated import Translated
from router.wire import base
from router.wire.peek import Top
from router.wire.translate import Plan

BYTES_PER_TOKEN = 3.6


def planned(ticket: Ticket) -> Plan:
    """The plan for the request whose tokens are counted."""
    assert ticket.route is not None
    assert ticket.facts is not None
    return translating.planned(ticket.call, ticket.route, ticket.snapshot, shown=ticket.facts.model or "", stream=False)


def question(ticket: Ticket, body: bytes, top: Top) -> Edited | None:
    """What asks the backend itself, as some that are spoken to in Chat count for Messages too; None: it does not."""
    assert ticket.route is not None
    assert ticket.target is not None
    if planned(ticket).ctx.profile.counts != "messages":
        return None
    notes = ticket.record.notes
    return edit(body, top, call=ticket.call, route=ticket.route, target=ticket.target, probe=False, notes=notes)


async def is_count(upstream: Upstream) -> bool:
    """True for an answer with a count, which stays readable; any other is given back."""
    found = base.decoded(await said(upstream)) if upstream.status == 200 else None
    if found is not None and base.count(found.get("input_tokens")) is not None:
        return True
    upstream.release()
    return False


def estimated(ticket: Ticket, body: bytes) -> Upstream:
    """An estimate in place of a count that the upstream does not offer; it is flagged as one."""
    plan = ticket.plan = planned(ticket)
    plan.ctx.losses.append(Loss("input_tokens", "weakened"))
    plan.asked = len(plan.ctx.losses)
    ticket.record.estimated = True
    ticket.record.notes.append("tokens estimated")
    tokens = math.ceil(len(body) / BYTES_PER_TOKEN)
    answer = Translated(None, [msgspec.json.encode({"input_tokens": tokens})])
    answer.status, answer.reason = 200, b"OK"
    answer.lines = [translating.JSON]
    answer.fields = {b"content-type": translating.JSON[2]}
    ticket.upstream = answer
    return answer
