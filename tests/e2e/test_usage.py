"""What a request used is known alike whatever protocol its caller speaks, and whether it wanted events or not.

The upstream is scripted; the proxy is a process of its own. A caller of the upstream's protocol gets its answer as it
is, callers of the other two get it translated; history.db says the same of all.
"""

import itertools
import json

import pytest

from .processes import Proxy, backend, make_home, until
from .samples import CHAT, EMBEDDINGS, MESSAGES, PROTOCOLS, RESPONSES
from .traffic import COUNTED, answer_of, events_of
from .upstream import plain, stream
from .wire import ask

CONFIG = """
[prices."model-a"]
input = 3
output = 15
cache_read = 0.3
cache_write = 3.75
[backends.apart]
profile = { usage_excludes_reasoning = true }
[backends.uncached]
profile = { usage_excludes_cache = true }
[backends.named]
translate_as = "openrouter"
"""
CACHED = {"cached_tokens": 60, "cache_write_tokens": 30}
#: Backend, its protocol, the usage object it sends, and what it says in the order of COUNTED.
ROWS = {
    "chat": ("chat", CHAT, {"prompt_tokens": 10, "completion_tokens": 5}, (10, 5, None, None, None)),
    "chat with details": (
        *("chat", CHAT),
        {"prompt_tokens": 100, "completion_tokens": 25, "total_tokens": 125, "prompt_tokens_details": CACHED}
        | {"completion_tokens_details": {"reasoning_tokens": 20}},
        (10, 25, 60, 30, 20),
    ),
    "reasoning beside the output": (
        *("chat", CHAT),
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35}
        | {"completion_tokens_details": {"reasoning_tokens": 20}},
        (10, 25, None, None, 20),
    ),
    "reasoning beside the output, by the profile": (
        *("apart", CHAT),
        {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 20}},
        (10, 25, None, None, 20),
    ),
    "cache beside the input, by the profile": (
        *("uncached", CHAT),
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": CACHED},
        (10, 5, 60, 30, None),
    ),
    "cache in the words of DeepSeek": (
        *("named", CHAT),
        {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 90, "prompt_cache_miss_tokens": 10},
        (10, 5, 90, None, None),
    ),
    "cache in the words of LiteLLM": (
        *("chat", CHAT),
        {"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 60, "cache_creation_input_tokens": 30},
        (10, 5, 60, 30, None),
    ),
    "cache in the words of Moonshot": (
        *("chat", CHAT),
        {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105, "cached_tokens": 90},
        (10, 5, 90, None, None),
    ),
    "reasoning in the total alone": (
        *("chat", CHAT),
        {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
        (35, 74, None, None, 62),
    ),
    "reasoning beside the output, most of the input cached": (
        *("chat", CHAT),
        {"prompt_tokens": 291, "completion_tokens": 26, "total_tokens": 513}
        | {"prompt_tokens_details": {"cached_tokens": 290}, "completion_tokens_details": {"reasoning_tokens": 196}},
        (1, 222, 290, None, 196),
    ),
    "reasoning in the total of Responses": (
        *("responses", RESPONSES),
        {"input_tokens": 35, "output_tokens": 12, "total_tokens": 109},
        (35, 74, None, None, 62),
    ),
    "messages": ("messages", MESSAGES, {"input_tokens": 10, "output_tokens": 5}, (10, 5, None, None, None)),
    "messages with details": (
        *("messages", MESSAGES),
        {"input_tokens": 10, "output_tokens": 25, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}
        | {"output_tokens_details": {"thinking_tokens": 20}},
        (10, 25, 60, 30, 20),
    ),
    "responses": ("responses", RESPONSES, {"input_tokens": 10, "output_tokens": 5}, (10, 5, None, None, None)),
    "responses with details": (
        *("responses", RESPONSES),
        {"input_tokens": 100, "output_tokens": 25, "input_tokens_details": CACHED}
        | {"output_tokens_details": {"reasoning_tokens": 20}},
        (10, 25, 60, 30, 20),
    ),
}


@pytest.fixture(scope="module")
def routed(tmp_path_factory, listening):
    """A proxy whose one upstream stands there under several names; the prefix of a model chooses."""
    folder = tmp_path_factory.mktemp("usage")
    config = make_home(folder) / "config.toml"
    config.touch(mode=0o600)
    config.write_text(CONFIG)
    spoken = {"messages": "messages", "responses": "responses"}
    names = ("chat", "apart", "uncached", "named", "messages", "responses")
    backends = [backend(name, listening.root, protocols=[spoken.get(name, "chat")]) for name in names]
    with Proxy(folder, "--demo", "off", backends=backends) as proxy:
        proxy.settled(*names)
        yield proxy


def asked(proxy, caller, model, *, streamed):
    """A request in the caller's protocol; the id of its answer, which must be whole."""
    said = [{"role": "user", "content": "hi"}]
    turn = {"max_output_tokens": 50, "input": said} if caller is RESPONSES else {"max_tokens": 50, "messages": said}
    body = turn | {"model": model} | ({"stream": True} if streamed else {})
    answer = ask(proxy.port, caller.path, json.dumps(body).encode())
    assert (answer.status, answer.whole) == (200, True), answer.body
    return answer.field(b"x-fairlead-request-id").decode()


def rows(proxy, names):
    """The entries of the history with these ids."""

    def read():
        page = ask(proxy.port, "/admin/history?limit=200", None, proxy.operator()).json()["requests"]
        found.update({row["id"]: row for row in page})
        return found.keys() >= {*names}

    found = {}
    assert until(read)
    return [found[name] for name in names]


@pytest.mark.parametrize("name", ROWS)
def test_all_callers_are_told_the_same(routed, upstream, name):
    """Relayed and translated to both other protocols, streamed and not: the same counts, at the same cost."""
    target, spoken, usage, expected = ROWS[name]
    ids = []
    for caller, streamed in itertools.product(PROTOCOLS, (False, True)):
        upstream.script(stream(events_of(spoken, usage)) if streamed else plain(answer_of(spoken, usage)))
        ids.append(asked(routed, caller, f"{target}:model-a", streamed=streamed))
    found = rows(routed, ids)
    for row in found:
        assert tuple(row[column] for column in COUNTED) == expected, row
        assert not row["estimated"]
    read, written, cached, made, _ = (count or 0 for count in expected)
    cost = (3 * read + 15 * written + 0.3 * cached + 3.75 * made) / 1e6
    assert [row["cost_usd"] for row in found] == [pytest.approx(cost)] * 6


LIFETIMES = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}
#: Protocol of the backend, and 30 tokens written to the cache, 10 of them for an hour.
WRITTEN = {
    "messages": (MESSAGES, {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 30}),
    "messages without the sum": (MESSAGES, {"input_tokens": 10, "output_tokens": 5}),
    "chat": (CHAT, {"prompt_tokens": 40, "completion_tokens": 5, "cache_creation_input_tokens": 30}),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_to_the_cache_for_an_hour_costs_more(routed, upstream, name):
    """The rates of five minutes and of an hour each count for their own tokens, for every caller."""
    spoken, usage = WRITTEN[name]
    details = {"prompt_tokens_details": {"cached_tokens": 0, "cache_creation_token_details": LIFETIMES}}
    usage = usage | (details if spoken is CHAT else {"cache_creation": LIFETIMES})
    ids = []
    for caller, streamed in itertools.product(PROTOCOLS, (False, True)):
        upstream.script(stream(events_of(spoken, usage)) if streamed else plain(answer_of(spoken, usage)))
        ids.append(asked(routed, caller, f"{spoken.name}:model-a", streamed=streamed))
    cost = (3 * 10 + 15 * 5 + 3.75 * 20 + 6 * 10) / 1e6
    assert [row["cost_usd"] for row in rows(routed, ids)] == [pytest.approx(cost)] * 6


@pytest.mark.parametrize("usage", [None, {}, {"cost": 0.1}], ids=["none", "empty", "no counts"])
@pytest.mark.parametrize("spoken", PROTOCOLS, ids=lambda one: one.name)
def test_what_was_not_said_is_estimated(routed, upstream, spoken, usage):
    """An answer without counts is estimated for all callers: a translated one says 0, which is not what was used."""
    ids = []
    for caller in PROTOCOLS:
        upstream.script(plain(answer_of(spoken, usage)))
        ids.append(asked(routed, caller, f"{spoken.name}:model-a", streamed=False))
    for row in rows(routed, ids):
        assert row["estimated"], row
        assert row["tokens_in"] > 0
        assert row["tokens_out"] > 0


def test_a_whole_answer_for_a_caller_that_wanted_events(routed, upstream):
    """It is translated to events, and its counts are those of the answer; so it is the other way round."""
    _, _, usage, expected = ROWS["chat with details"]
    upstream.script(plain(answer_of(CHAT, usage)))
    ids = [asked(routed, MESSAGES, "chat:model-a", streamed=True)]
    upstream.script(stream(events_of(CHAT, usage)))
    ids.append(asked(routed, MESSAGES, "chat:model-a", streamed=False))
    for row in rows(routed, ids):
        assert tuple(row[column] for column in COUNTED) == expected, row


def test_an_answer_too_large_to_hold(routed, upstream):
    """Its counts are read from its end, by the profile of its backend."""
    _, _, usage, expected = ROWS["reasoning beside the output, by the profile"]
    data = json.loads(answer_of(CHAT, usage))
    data["choices"][0]["message"]["content"] = "x" * (2 << 20)
    upstream.script(plain(json.dumps(data | {"usage": data.pop("usage")}).encode()))
    [row] = rows(routed, [asked(routed, CHAT, "apart:model-a", streamed=False)])
    assert tuple(row[column] for column in COUNTED) == expected, row


def test_embeddings_and_old_completions(routed, upstream):
    """Paths that are never translated are read as Chat is: embeddings read and write nothing."""
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    data = json.loads(EMBEDDINGS.whole) | {"usage": usage}
    upstream.script(plain(json.dumps(data).encode()))
    answers = [ask(routed.port, EMBEDDINGS.path, EMBEDDINGS.body("chat:model-a"))]
    text = {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": "hi", "finish_reason": "stop"}]}
    usage = ROWS["reasoning beside the output"][2]
    upstream.script(plain(json.dumps(text | {"usage": usage}).encode()))
    answers.append(ask(routed.port, "/v1/completions", b'{"model":"chat:model-a","prompt":"x"}'))
    found = rows(routed, [answer.field(b"x-fairlead-request-id").decode() for answer in answers])
    counts = [tuple(row[column] for column in COUNTED) for row in found]
    assert counts == [(7, None, None, None, None), (10, 25, None, None, 20)]
    assert not any(row["estimated"] for row in found)
