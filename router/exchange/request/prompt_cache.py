"""Notes the prompt of a request while its answer is awaited, and judges at its end what the cache did not give.

What is short is read in the loop's thread. What is long is read in the thread for large work, and not at all while
other work waits for that, since the head of the answer is waited for after it.
"""

import msgspec

from router.backends.cache_rules import find_cache_rule
from router.exchange.attempt import Attempt
from router.exchange.body.body import THREAD, THREAD_BYTES
from router.exchange.request.edits import edits_of
from router.exchange.upstream_response.large_work import is_large_json, run_large
from router.ir import Usage
from router.policy.accounts.session_key import read_session
from router.policy.cache.causes import CacheLoss, Circumstances, explain_lost, find_idle, find_lost
from router.policy.cache.prompt import asks_for_longer
from router.policy.cache.sessions import Comparison, PromptSessions, Turn
from router.policy.facts.lifetimes import LEAST_SECONDS
from router.policy.routing.fallback import WHY
from router.telemetry.accesslog import RequestRecord
from router.wire.headers.agent_hints import find_window, tells_compacted, tells_compaction
from router.wire.protocols import MESSAGES
from router.wire.raw.json.top_level import Top

#: Bytes of the smallest body that can lose what counts as a loss, and of the largest that is looked at.
LEAST, MOST = 2048, 8 << 20
# A request that continues a stored answer holds the new part of its conversation only.
_CONTINUING = ("previous_response_id", "conversation")
# Claude Code names itself and each of its sub-agents by one session, and a sub-agent by an id of its own.
_AGENT = b"x-claude-code-agent-id"


async def note_prompt(attempt: Attempt) -> None:
    """Read the prompt of a request into its record, once; to be called when it was sent."""
    context = attempt.context
    record, top = context.record, context.body.top
    size = len(context.body.data)
    if size < LEAST or size > MOST or record.prompt is not None or top is None or not context.call.writes:
        return
    if _CONTINUING[0] in top or _CONTINUING[1] in top:
        return
    fields = context.request.fields
    session = read_session(fields, top)
    if session and _AGENT in fields:
        session = f"{session} {hash(fields[_AGENT])}"
    sessions, conversation = context.runtime.prompt_sessions, context.call.entry.conversation
    if size > THREAD_BYTES:
        if not THREAD.waiting:
            record.prompt = await run_large(_read, sessions, session, context.body.data, top, conversation)
        return
    reader = sessions.begin(session, context.body.data, top, conversation)
    if not is_large_json(reader.left):
        record.prompt = reader.read()
    elif not THREAD.waiting:
        record.prompt = await run_large(reader.read)


def _read(sessions: PromptSessions, session: str, body: bytes, top: Top, conversation: str) -> Comparison:
    return sessions.begin(session, body, top, conversation).read()


def judge_prompt(record: RequestRecord, attempt: Attempt) -> CacheLoss | None:
    """What the request lost; None where that is not known too. The next request of its session is compared to it."""
    comparison, usage = record.prompt, record.usage
    if comparison is None or record.error or record.estimated or usage.input is None or usage.cache_read is None:
        return None
    plan, target, prompt = attempt.plan, attempt.target, comparison.prompt
    fields = attempt.context.request.fields
    before = comparison.previous
    cached = usage.cache_read + (usage.cache_write or 0)
    model = attempt.route.model or ""
    # What fairlead adds to a request that has no mark: the backend's option, or a translation's.
    marks = target.cache_marks if plan is None else plan.ctx.auto_cache and plan.spoken == MESSAGES.name
    turn = Turn(
        prompt=prompt,
        backend=record.backend,
        account=record.account,
        model=model,
        edits=_hash_edits(attempt),
        started=record.started + (record.tries[-1].at if record.tries else 0.0),
        total=usage.input + cached,
        cached=cached,
        longer=bool(usage.cache_write_1h) or (before is not None and before.longer),
        written=_sum_written(before, usage),
        window=find_window(fields) if record.hints else 0,
        marked=marks or prompt.marks > 0,
        compacted=bool(record.hints) and tells_compaction(record.hints),
    )
    rule = find_cache_rule(model, target.profile.cache_seconds, target.profile.cache_minimum)
    lost = find_lost(before, turn, usage.cache_read, rule)
    if not lost:
        loss = None
        if before is not None and usage.cache_read and turn.started - before.started >= LEAST_SECONDS:
            _note_kept(attempt, before, turn)
    else:
        loss = explain_lost(comparison, turn, lost, rule, _find_circumstances(record, attempt, turn))
        turn = _note_loss(attempt, turn, loss, usage.cache_read)
    attempt.context.runtime.prompt_sessions.put(comparison, turn)
    return loss


def _sum_written(before: Turn | None, usage: Usage) -> int:
    """The tokens that the session has written to the cache for the usual time, with this answer."""
    written = (usage.cache_write or 0) - (usage.cache_write_1h or 0)
    return written if before is None else before.written + written


def _find_circumstances(record: RequestRecord, attempt: Attempt, turn: Turn) -> Circumstances:
    """What is known of a request that lost tokens, beside its prompt."""
    before, fields = record.prompt and record.prompt.previous, attempt.context.request.fields
    if before is None:
        return Circumstances()
    moved = before.backend != turn.backend or before.account != turn.account
    seen = attempt.context.runtime.seen_lifetimes
    return Circumstances(
        why_moved=_explain_move(record, attempt) if moved else "",
        compacted=tells_compacted(fields) or (0 != before.window != turn.window != 0),
        lifetime=None if attempt.target.profile.cache_seconds else seen.seen(turn.backend, turn.model),
    )


def _note_kept(attempt: Attempt, before: Turn, turn: Turn) -> None:
    """Note how long a model's cache has kept the prompt of a request that found it there."""
    if before.account == turn.account and _is_usual(before, turn):
        attempt.context.runtime.seen_lifetimes.note_kept(turn.backend, turn.model, find_idle(before, turn))


def _is_usual(before: Turn, turn: Turn) -> bool:
    """True for a turn that goes where the one before went, of a session that did not ask to be kept for longer."""
    same = before.backend == turn.backend and before.model == turn.model
    return same and not (before.longer or asks_for_longer(before.prompt))


def _note_loss(attempt: Attempt, turn: Turn, loss: CacheLoss | None, read: int) -> Turn:
    """Note what the loss shows of the model's cache; the turn as the next one is compared to it."""
    if loss is None or loss.reason not in ("evicted", "expired"):
        return turn
    before = attempt.context.record.prompt and attempt.context.record.prompt.previous
    if before is not None and loss.tokens > read and _is_usual(before, turn):
        attempt.context.runtime.seen_lifetimes.note_dropped(turn.backend, turn.model, loss.idle)
    if loss.reason == "evicted":
        return msgspec.structs.replace(turn, unexplained=True)
    # With marks for the longer lifetime these would not have been written a second time.
    return turn if loss.longer is None else msgspec.structs.replace(turn, written=max(0, turn.written - loss.tokens))


def _hash_edits(attempt: Attempt) -> int:
    """A hash of what fairlead changes in the request."""
    plan, target = attempt.plan, attempt.target
    edits = edits_of(attempt.route, target)
    if plan is None and not (edits or target.strip_attribution or target.cache_marks):
        return 0
    translated = None
    if plan is not None:
        translated = (plan.spoken, plan.ctx.policy, plan.ctx.drop_reasoning, plan.ctx.auto_cache)
    return hash((translated, target.strip_attribution, target.cache_marks, repr(edits) if edits else ""))


def _explain_move(record: RequestRecord, attempt: Attempt) -> str:
    """Why another account than before may serve the request, in a word."""
    ends = [one.done for one in record.tries]
    if "parked" in ends or record.given_up is not None:
        return "limit"
    if attempt.route.why == WHY or any(ends):
        return "failover"
    return attempt.context.snapshot.settings.pool_strategy
