"""Any input to a translation ends in an answer or in a RouterError, never in another exception; and what was put into
a random answer or request is on the other side, or named as lost.
"""

import concurrent.futures
import contextlib
import itertools
import json
import multiprocessing
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from router.wire import translate

from ..fuzz.translation import by_sdk, judge, second_turns
from .translations import OTHER, context, streamed

WORDS = st.sampled_from(
    ["user", "assistant", "system", "tool", "text", "image", "tool_use", "tool_result", "thinking", "function", "auto",
     "document", "base64", "url", "image_url", "file", "custom", "json_schema", "", "a", "\ud800", "rtr1.x", "enabled"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["role", "content", "type", "text", "id", "name", "input", "tool_use_id", "tool_call_id", "tool_calls", "function",
     "arguments", "source", "data", "media_type", "url", "image_url", "file", "file_data", "filename", "signature",
     "thinking", "reasoning_details", "cache_control", "is_error", "refusal", "function_call", "input_schema", "custom",
     "parameters", "strict", "schema", "json_schema", "format", "effort", "budget_tokens", "include_usage", "tools"]
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=5))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
TOP = st.sampled_from(
    ["messages", "system", "tools", "tool_choice", "max_tokens", "thinking", "output_config", "metadata", "stop",
     "stop_sequences", "temperature", "top_p", "top_k", "response_format", "reasoning_effort", "stream_options", "n",
     "parallel_tool_calls", "service_tier", "container", "functions", "function_call", "user", "modalities", "stream"]
)  # fmt: skip
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": WORDS, "content": VALUES}, optional={"tool_calls": VALUES, "tool_call_id": WORDS}),
    min_size=1,
    max_size=4,
)
BODIES = st.builds(
    lambda fields, messages: {**fields, "max_tokens": fields.get("max_tokens", 5), "messages": messages},
    st.dictionaries(TOP, VALUES, max_size=4),
    st.one_of(MESSAGES, MESSAGES, VALUES),
)


@pytest.mark.parametrize("source", OTHER)
@pytest.mark.parametrize("vendor", ["", "openai", "mistral", "openrouter"])
@settings(max_examples=100)
@given(body=BODIES)
def test_any_request(source, vendor, body):
    """Any request is translated to JSON, or refused."""
    with contextlib.suppress(RouterError):
        json.loads(translate.request(json.dumps(body).encode(), source, OTHER[source], context(vendor)).body)


@pytest.mark.parametrize("source", OTHER)
@settings(max_examples=150)
@given(
    found=st.lists(
        st.dictionaries(
            st.sampled_from(
                ["type", "choices", "delta", "index", "content_block", "message", "usage", "error", "id", "x_groq"]
            ),
            st.one_of(
                VALUES,
                st.sampled_from(
                    ["message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop"]
                ),
                st.lists(st.dictionaries(st.sampled_from(["delta", "finish_reason", "index"]), VALUES), max_size=2),
            ),
        ),
        max_size=6,
    )
)
def test_any_stream(source, found):
    """Any stream is translated to decodable events."""
    made = streamed([b"data: " + json.dumps(one).encode() + b"\n\n" for one in found], source)
    for _, payload in translate.payloads(made):
        assert payload == b"[DONE]" or isinstance(json.loads(payload), dict)


@pytest.mark.parametrize("source", OTHER)
@settings(max_examples=100)
@given(
    found=st.dictionaries(
        st.sampled_from(["id", "content", "choices", "stop_reason", "usage", "error", "type"]),
        st.one_of(VALUES, st.lists(st.dictionaries(st.sampled_from(["message", "finish_reason"]), VALUES), max_size=2)),
    ),
    stream=st.booleans(),
)
def test_any_answer(source, found, stream):
    """Any answer becomes an answer, an error, or None."""
    made = translate.answer(json.dumps(found).encode(), source, OTHER[source], context(), stream=stream)
    assert made is None or 200 <= made[0] < 600


@pytest.mark.parametrize("source", OTHER)
@given(data=st.binary(max_size=80))
def test_any_bytes(source, data):
    """A stream of anything."""
    streamed([data, b"\n\ndata: ", data, b"\n\n"], source)


@pytest.mark.parametrize("source", OTHER)
def test_deep_json(source):
    """Nesting that would exhaust the stack is refused, or is not an answer."""
    deep = b'{"choices":' + b"[" * 100000
    assert translate.answer(deep, source, OTHER[source], context(), stream=False) is None
    assert b"error" in streamed([b"data: " + deep + b"\n\n"], source)
    with pytest.raises(RouterError):
        translate.request(b'{"messages":' + b"[" * 100000, source, OTHER[source], context())


#: What is judged of a random case -> its judge: (seed, source, target) -> (book, case, problems).
JUDGES = {
    "answer": judge.answer_problems,
    "answer-by-sdk": by_sdk.sdk_problems,
    "request": judge.request_problems,
    "next-request": second_turns.turn_problems,
    "next-request-streamed": second_turns.stream_problems,
    "other-conversation": second_turns.mixing_problems,
}
#: Of the same seeds in each run: more of them are for the slow test.
ROUNDS = 20
PARAMS = [
    pytest.param(kind, *pair, id="-".join((kind, *pair))) for kind, pair in itertools.product(JUDGES, judge.PAIRS)
]


def judged(kind, source, target, seeds):
    """The problems of the cases with these seeds, as texts that say how to repeat them."""
    found = []
    for seed in seeds:
        book, _, problems = JUDGES[kind](seed, source, target)
        found += [f"{kind} {source} {target} {seed} {book.shapes}: {problem}" for problem in problems]
    return found


@pytest.mark.parametrize(("kind", "source", "target"), PARAMS)
def test_what_was_put_in_is_there_or_named(kind, source, target):
    """Each text, reasoning, call, argument, result and citation of a random case is found where it belongs, once, or a
    loss names it; ids are unique, all events and requests are legal, and nothing comes from another conversation."""
    problems = judged(kind, source, target, range(ROUNDS))
    assert not problems, "\n".join(problems[:20])


@pytest.mark.parametrize("protocol", judge.PROTOCOLS)
def test_what_is_passed_on_is_understood(protocol):
    """A random stream that is not translated passes byte for byte, and its end and usage are seen."""
    for seed in range(ROUNDS):
        book, _, problems = judge.passing_problems(seed, protocol)
        assert not problems, (seed, book.shapes, problems)


@pytest.mark.slow
def test_a_hundred_thousand_rounds():
    """As above, many times over: FAIRLEAD_FUZZ_ROUNDS rounds (100,000), beginning with the seed FAIRLEAD_FUZZ_SEED."""
    rounds = int(os.environ.get("FAIRLEAD_FUZZ_ROUNDS", "100000"))
    first = int(os.environ.get("FAIRLEAD_FUZZ_SEED", "1000"))
    each = -(-rounds // len(PARAMS))
    tasks = [
        (*param.values, range(at, min(at + 500, first + each)))
        for param in PARAMS
        for at in range(first, first + each, 500)
    ]
    workers = min(os.cpu_count() or 1, 4)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        problems = [one for found in pool.map(judged, *zip(*tasks, strict=True)) for one in found]
    assert not problems, f"{len(problems)} problems\n" + "\n".join(problems[:40])
