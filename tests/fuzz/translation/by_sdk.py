"""Random answers as Python's official SDKs read them: the same as the plain readers of this folder."""

import json

from router.wire import translate

from ...wire.kinds.judges import by_python, seen
from ...wire.translations import context, streamed
from .callers import first_request, wrapper_of_union
from .judge import ANSWERS, history_of
from .marks import Book
from .readers import STREAMS, WHOLES, canonical


def sdk_problems(seed, source, target):
    """What an SDK reads otherwise in one random answer, streamed and whole; (book, answer, problems)."""
    book = Book(f"sdk-{source}-{target}-{seed}")
    # A plain reader has one form for free text; an SDK has types of its own for it.
    book.custom = False
    asked = json.dumps(first_request(target, history=history_of(book))).encode()
    book.wrapper = wrapper_of_union(json.loads(translate.request(asked, target, source, context()).body))
    made = ANSWERS[source](book, target)
    problems = []
    for stream in (True, False):
        ctx = context()
        translate.request(asked, target, source, ctx)
        ctx.request_sent = True
        try:
            if stream:
                out = streamed([made.stream], source, ctx, target)
                view = WHOLES[target](STREAMS[target](out)[0])
            else:
                out = translate.answer(json.dumps(made.whole).encode(), source, target, ctx, stream=False).body
                view = WHOLES[target](json.loads(out))
            got = seen(target, by_python(target, out, streamed=stream))
        except Exception as error:
            problems.append(f"{'stream' if stream else 'whole'}: {error!r}"[:300])
            continue
        calls = tuple(
            (call_id, name, canonical(given)) for call_id, (name, given) in zip(got.ids, got.calls, strict=True)
        )
        for name, mine, theirs in (
            ("text", view.text, got.text),
            ("refusal", view.refusal, got.refusal),
            ("calls", view.calls, calls),
            ("stop", view.stop, got.stop),
        ):
            if mine != theirs:
                problems.append(f"{'stream' if stream else 'whole'}: {name} {theirs!r}, not {mine!r}"[:400])
    return book, made, problems
