"""The turn after a random answer: what the caller sends back, and what of it the upstream gets again."""

import itertools
import json

from router.errors import RouterError
from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory

from ...wire.translations import context, streamed
from .callers import first_request, second_request, wrapper_of_union
from .judge import ANSWERS, LEGAL_REQUESTS, history_of
from .marks import Book, Put, missing
from .readers import REQUESTS, STREAMS

_NUMBERS = itertools.count(1)


class Turn:
    """One conversation of a caller with an upstream. keeps: what the caller sends back of reasoning."""

    def __init__(self, book, source, target, *, memory=None):
        self.book, self.source, self.target = book, source, target
        vendors = {"messages": ("anthropic", "claude-opus-5"), "responses": ("openai", "gpt-5")}
        self._vendor, self._model = vendors.get(source, ("", "m"))
        self._memory = memory
        self.history = history_of(book)
        self.made = None
        self.lost = []

    def _context(self):
        ctx = context(self._vendor, model=self._model, memory=self._memory)
        # Ids that are made up are those of one request.
        ctx.new_id = lambda: f"{next(_NUMBERS):024x}"
        return ctx

    def answer(self, *, stream):
        """A random answer as the caller has it."""
        ctx = self._context()
        asked = json.dumps(first_request(self.target, history=self.history)).encode()
        sent = json.loads(translate.request(asked, self.target, self.source, ctx).body)
        self.book.wrapper = wrapper_of_union(sent)
        before = len(ctx.losses)
        self.made = ANSWERS[self.source](self.book, self.target)
        ctx.request_sent = True
        read = _stream_read if stream else _whole_read
        found = read(self.made, self.source, self.target, ctx)
        self.lost += [f"{loss.path}={loss.how}" for loss in ctx.losses[before:]]
        return found

    def request(self, body):
        """The next request as the upstream gets it."""
        ctx = self._context()
        sent = json.loads(translate.request(json.dumps(body).encode(), self.target, self.source, ctx).body)
        self.lost += [f"{loss.path}={loss.how}" for loss in ctx.losses]
        return sent


def turn_problems(seed, source, target, *, stream=False):
    """What is wrong with the request after a random answer of the source, which a caller of the target had."""
    book = Book(f"turn-{source}-{target}-{seed}")
    memory = ReplayMemory() if book.likes(0.6, "memory") else None
    turn = Turn(book, source, target, memory=memory)
    try:
        answer = turn.answer(stream=stream)
        keeps = book.pick("all", "all", "text", "none") if memory is not None else "all"
        book.shapes.append(f"keeps {keeps}")
        answer = _kept(target, answer, keeps)
        # What the answer did not carry to the caller cannot come back; whether that was named, others judge.
        puts = [put for put in book.puts if put.kind in _wanted(book, keeps)]
        body, puts = second_request(target, answer, puts, history=turn.history)
        sent = turn.request(body)
    except RouterError as error:
        return book, turn.made, [f"refused: {error.message}"]
    except Exception as error:
        return book, turn.made, [f"crash {error!r}"[:300]]
    problems = missing([_as_sent(put, source) for put in puts], REQUESTS[source](sent), turn.lost)
    try:
        LEGAL_REQUESTS[source](sent)
    except Exception as error:
        problems.append(f"illegal: {error!r}"[:200])
    view = REQUESTS[source](sent)
    for at, call in enumerate(view.calls[len(turn.history) :]):
        if not any(one[0] == call[0] and f"R{at}" in one[1] for one in view.results):
            problems.append(f"call {at} has not its result: {view.calls} {view.results}"[:300])
    return book, turn.made, problems


def _wanted(book, keeps):
    """The kinds of puts that must come back: reasoning that the caller left out only in front of a call."""
    called = any(put.kind == "call" for put in book.puts)
    return ("call", "text", *(("proof", "reasoning") if keeps == "all" else ("proof",) if called else ()))


def _kept(protocol, answer, keeps):
    """What a caller sends back: all, reasoning as text only, or no reasoning."""
    if keeps == "all":
        return answer
    if protocol == "chat":
        [choice] = answer["choices"]
        gone = ("reasoning_details", *(("reasoning_content", "reasoning") if keeps == "none" else ()))
        message = {key: value for key, value in choice["message"].items() if key not in gone}
        return {**answer, "choices": [{**choice, "message": message}]}
    field = "content" if protocol == "messages" else "output"
    kinds = ("thinking", "redacted_thinking", "reasoning")
    return {**answer, field: [one for one in answer[field] if one["type"] not in kinds]}


def mixing_problems(seed, source, target):
    """What of another conversation is in a request, where one memory served both."""
    memory = ReplayMemory()
    turns = [
        Turn(Book(f"mixed-{source}-{target}-{seed}-{at}", letter), source, target, memory=memory)
        for at, letter in enumerate("QP")
    ]
    book = turns[0].book
    try:
        answers = [turn.answer(stream=book.likes(0.5)) for turn in turns]
        answer = _kept(target, answers[0], book.pick("all", "text", "none"))
        body, _ = second_request(target, answer, [], history=turns[0].history)
        sent = turns[0].request(body)
    except RouterError as error:
        return book, turns[0].made, [f"refused: {error.message}"]
    except Exception as error:
        return book, turns[0].made, [f"crash {error!r}"[:300]]
    strange = [put for put in turns[1].book.puts if put.mark in json.dumps(sent)]
    return book, turns[0].made, [f"{put.kind} {put.mark} is of another conversation" for put in strange]


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
