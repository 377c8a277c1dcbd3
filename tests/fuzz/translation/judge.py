"""Translates one random case, and says what is wrong with the result."""

import json

from router.errors import RouterError
from router.wire import translate
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.tap import Tap

from ...wire.responses_samples import legal
from ...wire.test_legality import legal_chat_request, legal_messages_request
from ...wire.test_responses_legality import legal_responses_request
from ...wire.test_translate_streams import legal_chat, legal_messages
from ...wire.translations import context, streamed
from . import answers, answers_responses, requests
from .callers import USED, first_request, wrapper_of_union
from .marks import Book, missing, unlike
from .readers import REQUESTS, STREAMS, WHOLES
from .schemas import of_anthropic, of_openai

PROTOCOLS = ("messages", "chat", "responses")
PAIRS = [(source, target) for source in PROTOCOLS for target in PROTOCOLS if source != target]
ANSWERS = {"chat": answers.chat, "messages": answers.messages, "responses": answers_responses.responses}
LEGAL = {"chat": legal_chat, "messages": legal_messages, "responses": legal}
#: A Messages stop reason in the terms of the other protocols.
STOPS = {
    "chat": {"tool_use": "tool_calls", "end_turn": "stop", "max_tokens": "length"},
    "responses": {"tool_use": "completed", "end_turn": "completed", "max_tokens": "incomplete"},
    "messages": {"tool_use": "tool_use", "end_turn": "end_turn", "max_tokens": "max_tokens", "refusal": "refusal"},
}


def answer_problems(seed, source, target):
    """What is wrong with the translation of one random answer, streamed and whole; (book, answer, problems)."""
    book = Book(f"{source}-{target}-{seed}")
    history = history_of(book)
    asked = json.dumps(first_request(target, history=history)).encode()
    try:
        book.wrapper = wrapper_of_union(json.loads(translate.request(asked, target, source, context()).body))
    except Exception as error:
        return book, None, [f"crash {error!r}"]
    made = ANSWERS[source](book, target)

    def begun():
        ctx = context()
        translate.request(asked, target, source, ctx)
        ctx.request_sent = True
        ctx.losses.clear()
        return ctx

    found = [f"stream: {one}" for one in _stream_problems(book, made, source, target, begun())]
    found += [f"whole: {one}" for one in _whole_problems(book, made, source, target, begun)]
    return book, made, found


def history_of(book):
    """The ids of the calls that the conversation has had."""
    if not book.likes(0.4, "history"):
        return ()
    book.used = book.chance.sample(USED, book.pick(1, 2, 3))
    return book.used


def passing_problems(seed, protocol):
    """What is wrong with the reading of one random stream that is passed on as it is; (book, answer, problems)."""
    book = Book(f"passed-{protocol}-{seed}")
    made = ANSWERS[protocol](book, protocol)
    tap, splitter, out = Tap(BY_NAME[protocol].dialect), sse.Splitter(), b""
    at = 0
    while at < len(made.stream):
        size = book.pick(1, 7, 60, 500, 5000)
        batch = splitter.feed(made.stream[at : at + size])
        out += tap.read(batch) if batch else b""
        at += size
    tail = splitter.tail
    if tail.strip():
        # The last event came without its blank line.
        tap.read(tail.rstrip() + b"\n\n")
    problems = [] if out + tail == made.stream else ["other bytes"]
    if tap.ended is not True:
        problems.append(f"ended: {tap.ended}")
    usage = tap.usage()
    if (usage.input, usage.output) != (9, 4):
        problems.append(f"usage: {usage}")
    return book, made, problems


def _stream_problems(book, made, source, target, ctx):
    cuts = sorted(book.chance.randrange(len(made.stream) + 1) for _ in range(book.pick(0, 0, 3, 40)))
    pieces = [made.stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(made.stream)], strict=True)]
    try:
        out = streamed(pieces, source, ctx, target)
    except Exception as error:
        return [f"crash {error!r}"]
    try:
        LEGAL[target](out)
    except Exception as error:
        if b'"error":{' in out:
            return [f"error: {out[-300:]!r}"]
        return [f"illegal: {error!r}"[:300]]
    try:
        whole, losses = STREAMS[target](out)
    except AssertionError as error:
        return [f"unreadable: {error!r}"[:300]]
    return _judge(
        book, made, WHOLES[target](whole), [*losses, *(f"{loss.path}={loss.how}" for loss in ctx.losses)], target
    )


def _whole_problems(book, made, source, target, begun):
    ctx = begun()
    body = json.dumps(made.whole).encode("utf-8", "surrogatepass")
    try:
        found = translate.answer(body, source, target, ctx, stream=False)
        replayed = translate.answer(body, source, target, begun(), stream=True)
    except Exception as error:
        return [f"crash {error!r}"]
    if found is None or replayed is None or found.status != 200:
        return [f"no answer: {found}"]
    losses = [f"{loss.path}={loss.how}" for loss in ctx.losses]
    problems = _judge(book, made, WHOLES[target](json.loads(found.body)), losses, target)
    try:
        LEGAL[target](replayed.body)
    except Exception as error:
        return [*problems, f"illegal replay: {error!r}"[:300]]
    try:
        again, more = STREAMS[target](replayed.body)
    except AssertionError as error:
        return [*problems, f"unreadable replay: {error!r}"[:300]]
    again = _judge(book, made, WHOLES[target](again), [*losses, *more], target)
    return problems + [f"replayed: {one}" for one in again if one not in problems]


def _judge(book, made, view, losses, target):
    puts = [put for put in book.puts if put.kind != "proof"]
    problems = missing(puts, view, losses)
    twice = unlike(view, book.used)
    wanted = STOPS[target].get(made.stop)
    if wanted and view.stop != wanted:
        problems.append(f"stop {view.stop}, not {wanted}")
    return problems + ([twice] if twice else [])


# Requests

#: Providers without a form for what the caller cannot do without.
RIGHTLY_REFUSED = ("the backend does not take JSON schemas for answers",)
MODELS = ("claude-opus-5", "claude-sonnet-4-5", "gpt-5", "mock-model")
VENDORS = {"messages": ("", "anthropic"), "chat": ("", "openai", "mistral", "deepseek", "openrouter", "vllm"),
           "responses": ("", "openai")}  # fmt: skip


def request_problems(seed, source, target):
    """What is wrong with the translation of one random request; (book, body, problems)."""
    book = Book(f"request-{source}-{target}-{seed}")
    body = REQUESTS_OF[source](book)
    vendor, model = book.pick(*VENDORS[target]), book.pick(*MODELS)
    book.shapes.append(f"{vendor} {model}")
    ctx = context(vendor, model=model)
    try:
        sent = translate.request(json.dumps(body).encode(), source, target, ctx)
    except RouterError as error:
        rightly = any(why in error.message for why in RIGHTLY_REFUSED)
        return book, body, [] if rightly else [f"refused: {error.message}"]
    except Exception as error:
        return book, body, [f"crash {error!r}"]
    made = json.loads(sent.body)
    losses = [f"{loss.path}={loss.how}" for loss in ctx.losses]
    problems = missing(book.puts, REQUESTS[target](made), losses)
    try:
        LEGAL_REQUESTS[target](made)
        if vendor == "openai" or target == "responses":
            for one in _strict_schemas(made):
                of_openai(one)
    except Exception as error:
        problems.append(f"illegal: {error!r}"[:200])
    return book, body, problems


def _legal_messages(made):
    legal_messages_request(made)
    view = REQUESTS["messages"](made)
    assert not unlike(view), unlike(view)
    marks = [one["cache_control"].get("ttl", "5m") for one in _marked(made)]
    assert len(marks) <= 4, f"{len(marks)} cache marks"
    assert marks == sorted(marks), f"cache marks {marks}"
    for tool in made.get("tools", ()):
        found = tool.get("input_schema", {"type": "object"})
        assert found.get("type") == "object", "a schema that is no object"
        assert not {"anyOf", "oneOf", "allOf"} & set(found), "a union at the root of a schema"
        if tool.get("strict"):
            of_anthropic(found)
    shape = (made.get("output_config") or {}).get("format") or {}
    if "schema" in shape:
        of_anthropic(shape["schema"])


def _marked(made):
    """What bears a cache mark, in the order in which the provider reads: tools, system, messages."""
    for holder in (made.get("tools") or (), made.get("system") or (), made["messages"]):
        yield from _marked_in(holder)


def _marked_in(value):
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in ("input", "input_schema"):
                yield from _marked_in(one)
        if "cache_control" in value:
            yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _marked_in(one)


def _legal_responses(made):
    legal_responses_request({**made, "input": [item for item in made["input"] if item["type"] != "reasoning"]})


def _strict_schemas(made):
    """The schemas that a request of OpenAI's protocols asks to enforce."""
    forms = [tool.get("function") or tool for tool in made.get("tools") or ()]
    shape = made.get("response_format") or (made.get("text") or {}).get("format") or {}
    forms.append(shape.get("json_schema") or shape)
    return [form.get("parameters") or form.get("schema") for form in forms if form.get("strict")]


REQUESTS_OF = {"chat": requests.chat, "messages": requests.messages, "responses": requests.responses}
LEGAL_REQUESTS = {"chat": legal_chat_request, "messages": _legal_messages, "responses": _legal_responses}
