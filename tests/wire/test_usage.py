"""A usage object yields the same counts relayed or translated, whole or streamed."""

import itertools
import json

import pytest

from router.backends.known import KNOWN
from router.ir import Usage
from router.settings.profile import Profile, override
from router.wire import translate
from router.wire.neutral.provider_profiles import find_profile
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.tap import Tail, Tap, usage_of

from .conftest import FIXTURES
from .translations import context
from .usage_answers import ANSWERS, chat, encode_data, encode_event, events, messages, responses, whole
from .usage_table import LIFETIMES, TABLE

PROTOCOLS = ("messages", "chat", "responses")


def relayed_plain(protocol, body, profile):
    """The usage of a whole answer that is passed through."""
    return usage_of(BY_NAME[protocol].dialect, body, profile)


def relayed_tail(protocol, body, profile):
    """The usage of an answer that is too large to buffer."""
    tail = Tail(BY_NAME[protocol].dialect, b"", profile)
    tail.read(body)
    return tail.usage()


def relayed_stream(protocol, batches, profile):
    """The usage of a stream that is passed through; batches: whole events, as they were read."""
    tap = Tap(BY_NAME[protocol].dialect, profile=profile)
    for _, event in sse.parse_events(b"".join(batches)):
        if tap.judge(event)[0].name != "HOLD":
            break
    for batch in batches:
        tap.read(batch)
    return tap.usage()


def translated_stream(protocol, target, batches, profile):
    """The usage of a stream that is translated."""
    stream = translate.Stream(protocol, target, context_of(profile))
    for batch in batches:
        stream.feed(batch)
    stream.end()
    return stream.usage


def context_of(profile):
    ctx = context()
    ctx.profile = profile
    return ctx


def others(protocol):
    return [one for one in PROTOCOLS if one != protocol]


@pytest.mark.parametrize("name", TABLE)
def test_of_a_whole_answer(name):
    """The counts of a whole answer are the same buffered or not, relayed or translated, as a stream or not."""
    protocol, flags, found, expected = TABLE[name]
    profile = override(Profile(), flags)
    body = whole(protocol, found)
    assert relayed_plain(protocol, body, profile) == expected
    assert relayed_tail(protocol, body, profile) == expected
    for target, streamed in itertools.product(others(protocol), (False, True)):
        made = translate.answer(body, protocol, target, context_of(profile), stream=streamed)
        assert made.usage == expected, target


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", TABLE)
def test_of_a_stream(name, together):
    """The counts of a stream are the same read event by event or at once, relayed, translated or assembled."""
    protocol, flags, found, expected = TABLE[name]
    profile = override(Profile(), flags)
    batches = events(protocol, found)
    batches = [b"".join(batches)] if together else batches
    assert relayed_stream(protocol, batches, profile) == expected
    for target in others(protocol):
        assert translated_stream(protocol, target, batches, profile) == expected, target
        made = translate.assemble_stream(b"".join(batches), protocol, target, context_of(profile))
        assert made.usage == expected, target


#: Usage objects of one stream, and what all of them say.
MERGED = {
    "messages adds": ("messages", [messages(10, 1, hit=90), messages(None, 5)], Usage(10, 5, 90)),
    "messages keeps what is for an hour": (
        *("messages", [messages(10, 1, made=30, cache_creation={"ephemeral_1h_input_tokens": 9}), messages(None, 5)]),
        Usage(10, 5, None, 30, cache_write_1h=9),
    ),
    "messages, lifetimes at the end": (
        *("messages", [messages(10, 1, made=0), messages(None, 5, cache_creation=LIFETIMES)]),
        Usage(10, 5, None, 30, cache_write_1h=10),
    ),
    "messages overwrites": ("messages", [messages(0, 0), messages(10, 5, hit=9, thinking=2)], Usage(10, 5, 9, None, 2)),
    "messages thrice": (
        *("messages", [messages(10, 1, made=30), messages(None, 5, hit=90), messages(None, 7)]),
        Usage(10, 7, 90, 30),
    ),
    "messages, then nothing": ("messages", [messages(10, 1), {}], Usage(10, 1)),
    "chat, the last": ("chat", [chat(10, 1, read=4), chat(10, 5, 15)], Usage(10, 5)),
    "chat, then cost": ("chat", [chat(10, 5, read=4), {"cost": 0.1}], Usage(6, 5, 4)),
    "chat, then nulls": ("chat", [chat(10, 5), {"prompt_tokens": None, "completion_tokens": None}], Usage(10, 5)),
    "chat, then null": ("chat", [chat(10, 5), None], Usage(10, 5)),
    "responses, the last": ("responses", [responses(10, 1, hit=4), responses(10, 5)], Usage(10, 5)),
    "responses, then nothing": ("responses", [responses(10, 5, hit=4), {}], Usage(6, 5, 4)),
}


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", MERGED)
def test_of_several_in_a_stream(name, together):
    """Of several usage objects Messages adds up, OpenAI's last one wins, and one without counts changes nothing."""
    protocol, found, expected = MERGED[name]
    batches = events(protocol, *found)
    batches = [b"".join(batches)] if together else batches
    assert relayed_stream(protocol, batches, Profile()) == expected
    for target in others(protocol):
        assert translated_stream(protocol, target, batches, Profile()) == expected, target


@pytest.mark.parametrize("place", ["choice", "x_groq"])
def test_of_chat_in_another_place(place):
    """Usage is found in the choice (Moonshot) and in an object of its own (Groq)."""
    found = chat(10, 5, read=4)
    answer = ANSWERS["chat"]
    choice = answer["choices"][0]
    beside = {"x_groq": {"id": "r", "usage": found}} if place == "x_groq" else {}
    choice = choice | {"usage": found} if place == "choice" else choice
    body = encode_data(answer | {"choices": [choice], **beside})[6:]
    assert relayed_plain("chat", body, Profile()) == Usage(6, 5, 4)
    assert translate.answer(body, "chat", "messages", context(), stream=False).usage == Usage(6, 5, 4)
    end = {key: value for key, value in choice.items() if key != "message"} | {"delta": {}}
    batches = [*events("chat", None)[:2], encode_data(answer | {"choices": [end], **beside}), b"data: [DONE]\n\n"]
    assert relayed_stream("chat", batches, Profile()) == Usage(6, 5, 4)
    assert translated_stream("chat", "messages", batches, Profile()) == Usage(6, 5, 4)


@pytest.mark.parametrize("ending", [b"", b"data: [DONE]\n\n"])
def test_of_chat_behind_its_end(ending):
    """A second usage event wins, although a translated answer ended with the first."""
    batches = [*events("chat", chat(10, 1))[:-1], events("chat", chat(10, 5))[-2], ending]
    assert relayed_stream("chat", batches, Profile()) == Usage(10, 5)
    for target in ("messages", "responses"):
        assert translated_stream("chat", target, batches, Profile()) == Usage(10, 5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_of_a_stream_cut_short(protocol):
    """Counts that were sent before the upstream broke off are known."""
    said = {"messages": messages(10, 1), "chat": chat(10, 1), "responses": responses(10, 1)}[protocol]
    batches = events(protocol, said, None)
    cut = batches[: {"messages": 3, "chat": 3, "responses": 3}[protocol]]
    assert relayed_stream(protocol, cut, Profile()) == Usage(10, 1)
    for target in others(protocol):
        stream = translate.Stream(protocol, target, context())
        for batch in cut:
            stream.feed(batch)
        assert stream.usage == Usage(10, 1)


@pytest.mark.parametrize("target", ["messages", "chat"])
def test_of_a_failed_response(target):
    """A failed response counts its input."""
    batches = events("responses", responses(10, 5))
    answer = ANSWERS["responses"] | {"status": "failed", "error": {"code": "server_error", "message": "no"}}
    batches[-1] = encode_event("response.failed", response=answer | {"usage": responses(10, 3)})
    assert relayed_stream("responses", batches, Profile()) == Usage(10, 3)
    assert translated_stream("responses", target, batches, Profile()) == Usage(10, 3)


def test_of_messages_that_begin_after_the_commit():
    """A stream that was silent until it was committed is read from its first event on."""
    tap = Tap(BY_NAME["messages"].dialect)
    for batch in events("messages", messages(10, 1, hit=90), messages(None, 5)):
        tap.read(batch)
    assert tap.usage() == Usage(10, 5, 90)


def test_of_embeddings():
    """Embeddings count input and no output."""
    body = b'{"object":"list","data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}'
    assert usage_of(BY_NAME["chat"].dialect, body, Profile()) == Usage(7)


def _recorded():
    """Recordings of whole streams, by protocol; none where they are not at hand."""
    found = []
    for folder, protocol in (("anthropic", "messages"), ("openai-chat", "chat"), ("openai-responses", "responses")):
        found += [(protocol, path) for path in sorted((FIXTURES / folder).glob("*.chunks.txt"))]
    found += [("chat", path) for path in sorted((FIXTURES / "compat").glob("*/*.chunks.txt"))]
    return [pytest.param(protocol, path, id=path.name) for protocol, path in found]


def first_answer(protocol, batches):
    """The events of one answer; some recordings hold those of two requests."""
    for at, (_, event) in enumerate(sse.parse_events(b"".join(batches))):
        if protocol == "responses" and BY_NAME[protocol].dialect.ending(event, json.loads(event.data)) is not None:
            return batches[: at + 1]
    return batches


@pytest.mark.parametrize(("protocol", "path"), _recorded())
def test_of_a_recording(recording, protocol, path):
    """Recorded answers have the same counts relayed and translated to both other protocols."""
    try:
        batches = recording(str(path.relative_to(FIXTURES)))
    except ValueError:
        pytest.skip("the recording is no JSON")
    batches = first_answer(protocol, batches)
    said = relayed_stream(protocol, batches, Profile())
    assert relayed_stream(protocol, [b"".join(batches)], Profile()) == said
    for target in others(protocol):
        assert translated_stream(protocol, target, batches, Profile()) == said, target


@pytest.mark.parametrize("vendor", ["", *KNOWN])
def test_the_flags_of_usage_hold_for_all_models_of_a_provider(vendor):
    """The flags of usage are the same for all models of a provider, since usage is read without knowing the model."""
    usual = find_profile(vendor)
    for model in ("gpt-5.1", "o3", "gpt-4o", "gpt-oss-20b", "qwen3", "grok-3-mini", "deepseek-r1"):
        found = find_profile(vendor, model)
        assert found.usage_excludes_reasoning is usual.usage_excludes_reasoning
        assert found.usage_excludes_cache is usual.usage_excludes_cache
