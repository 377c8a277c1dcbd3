"""The turn after a random answer: what the caller sends back, and what of it the upstream gets again."""

import json

from router.errors import RouterError
from router.wire import translate

from ...wire.translations import context, streamed
from .callers import first_request, second_request, wrapper_of_union
from .judge import ANSWERS, LEGAL_REQUESTS, history_of
from .marks import Book, Put, missing
from .readers import REQUESTS, STREAMS


def turn_problems(seed, source, target, *, stream=False):
    """What is wrong with the request after a random answer of the source, which a caller of the target had."""
    book = Book(f"turn-{source}-{target}-{seed}")
    vendor, model = {"messages": ("anthropic", "claude-opus-5"), "responses": ("openai", "gpt-5")}.get(
        source, ("", book.pick("m", "gemini-3-pro"))
    )
    ctx = context(vendor, model=model)
    history = history_of(book)
    made = None
    try:
        asked = json.dumps(first_request(target, history=history)).encode()
        sent = json.loads(translate.request(asked, target, source, ctx).body)
        book.wrapper = wrapper_of_union(sent)
        before = len(ctx.losses)
        made = ANSWERS[source](book, target)
        ctx.request_sent = True
        answer = _stream_read(made, source, target, ctx) if stream else _whole_read(made, source, target, ctx)
    except Exception as error:
        return book, made, [f"crash {error!r}"[:300]]
    # What the answer did not carry to the caller cannot come back; whether that was named, others judge.
    puts = [put for put in book.puts if put.kind in ("call", "text", "proof", "reasoning")]
    body, puts = second_request(target, answer, puts, history=history)
    again = context(vendor, model=model)
    try:
        sent = json.loads(translate.request(json.dumps(body).encode(), target, source, again).body)
    except RouterError as error:
        return book, made, [f"refused: {error.message}"]
    except Exception as error:
        return book, made, [f"crash {error!r}"]
    lost = [f"{loss.path}={loss.how}" for loss in (*ctx.losses[before:], *again.losses)]
    problems = missing([_as_sent(put, source) for put in puts], REQUESTS[source](sent), lost)
    try:
        LEGAL_REQUESTS[source](sent)
    except Exception as error:
        problems.append(f"illegal: {error!r}"[:200])
    view = REQUESTS[source](sent)
    for at, call in enumerate(view.calls[len(history) :]):
        if not any(one[0] == call[0] and f"R{at}" in one[1] for one in view.results):
            problems.append(f"call {at} has not its result: {view.calls} {view.results}"[:300])
    return book, made, problems


def stream_problems(seed, source, target):
    """The same where the caller had the answer as a stream."""
    return turn_problems(seed, source, target, stream=True)


def _whole_read(made, source, target, ctx):
    """The whole answer as the caller has it."""
    found = translate.answer(json.dumps(made.whole).encode(), source, target, ctx, stream=False)
    assert found is not None, "no answer"
    assert found.status == 200, found.body
    return json.loads(found.body)


def _stream_read(made, source, target, ctx):
    """The stream as the caller has put it together."""
    answer, _ = STREAMS[target](streamed([made.stream], source, ctx, target))
    return answer


def _as_sent(put, source):
    """Where the put must be in a request; proofs may stand anywhere."""
    if put.kind == "proof":
        return Put("field", put.mark, put.path, put.names)
    if put.kind == "reasoning" and put.about and source == "responses":
        return Put("field", put.about, put.path, put.names)
    return put
