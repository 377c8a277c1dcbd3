"""Serves POST /admin/explain; admin/explain.py finds the answer."""

import msgspec

from router.admin.ask import Ask
from router.admin.explain import explain
from router.errors import BadRequest
from router.exchange.body.body import LIMIT, THREAD
from router.exchange.upstream_response.large_work import run_json
from router.net.server.cancel_reason import CancelReason
from router.operator_api.explain import Question
from router.upstream.catalogs import FIRST_LOAD_SECONDS

# From the end of the question on: catalogs are waited for, and a large body is looked through.
_ANSWER_SECONDS = 3 * FIRST_LOAD_SECONDS
# A request of the largest size, in base64.
_QUESTION_LIMIT = LIMIT * 3 // 2


async def answer_question(ask: Ask) -> None:
    """Answer a Question with an Explanation. Until then its body counts as buffered. Raises RouterError."""
    runtime = ask.runtime
    reserved: list[int] = []

    def reserve(size: int) -> None:
        runtime.memory.reserve(size)
        reserved.append(size)

    try:
        body = await ask.read_body(_QUESTION_LIMIT, reserve)
        # A large one would hold up every stream.
        question = await run_json(len(body), _read_question, body)
        ask.connection.set_deadline(_ANSWER_SECONDS, CancelReason.TOTAL)
        if runtime.catalogs.loading:
            await runtime.catalogs.wait_complete()
        snapshot, refused = runtime.snapshot, frozenset(runtime.refuses_usage)
        # In a thread: it looks up in history.db which account issued an id.
        owners, estimates = runtime.resource_owners, runtime.token_estimates
        explanation = await THREAD.run(None, sum(reserved), explain, question, snapshot, refused, owners, estimates)
    finally:
        runtime.memory.release(sum(reserved))
    await ask.respond(explanation)


def _read_question(body: bytes) -> Question:
    try:
        question = msgspec.json.decode(body, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not a valid question: {error}.") from None
    if not question.model and not question.body:
        raise BadRequest('Ask about a "model" or a "body".')
    return question
