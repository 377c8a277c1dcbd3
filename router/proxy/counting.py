"""Counting tokens across protocols: the backend counts where its protocol can, else the size of the body says it.

It is never refused for want of an endpoint: Claude Code asks for counts by the dozen.
"""

import math
from collections.abc import Awaitable, Callable

from router.ir import Facts, Loss
from router.net.client import Exchange as Upstream
from router.policy.traits import BYTES_PER_TOKEN
from router.proxy.edits import Edited
from router.proxy.targets import Target
from router.proxy.ticket import Ticket
from router.proxy.translating import JSON, Translated, planned, rewritten, whole
from router.wire import base, translate


async def counted(
    ticket: Ticket, body: bytes, send: Callable[[Ticket, Target, Facts, Edited], Awaitable[Upstream]]
) -> Upstream:
    """The answer to a call that counts tokens; an estimate is flagged as one. Raises RouterError, Broken."""
    route, target, facts = ticket.route, ticket.target, ticket.facts
    assert route is not None
    assert target is not None
    assert facts is not None
    plan = planned(ticket.call, route, ticket.snapshot, shown=facts.model or "", stream=False)
    if plan.spoken in translate.COUNTS:
        plan.path = translate.COUNTS[plan.spoken][0]
        edited, _, notes = rewritten(body, plan, ticket.call, route, target)
        ticket.plan = plan
        ticket.record.notes += notes
        upstream = await send(ticket, target, facts, edited)
        found = base.decoded(await whole(ticket, upstream)) or {}
        tokens = base.count(found.get("input_tokens"))
        upstream.release()
        if upstream.status == 200 and tokens is not None:
            return _told(ticket, tokens)
    ticket.plan = plan
    plan.ctx.losses.append(Loss("input_tokens", "weakened"))
    ticket.record.estimated = True
    ticket.record.notes.append("tokens estimated")
    return _told(ticket, math.ceil(len(body) / BYTES_PER_TOKEN))


def _told(ticket: Ticket, tokens: int) -> Upstream:
    assert ticket.plan is not None
    answer = Translated(None, [translate.count_answer(tokens, ticket.plan.caller)])
    answer.status, answer.reason = 200, b"OK"
    answer.lines = [JSON]
    answer.fields = {b"content-type": JSON[2]}
    ticket.upstream = answer
    return answer
