"""Signatures that carry reasoning for callers of Google's API: their form, what binds them, how they come back."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ir import Text, Thinking, ToolCall
from router.wire.conversation.sealed_state import StateSealer, make_signer
from router.wire.gemini.carriers import (
    MARK,
    CarriedThought,
    TextBinding,
    bind_call,
    is_carrier,
    is_dummy,
    pack,
    unpack,
)

from ..translations import context
from .gemini_answers import THOUGHT, answer, whole
from .gemini_samples import call, model, response, turns, user

SEALER = StateSealer(make_signer(b"key"), "up", "m")
OTHERS = [
    StateSealer(make_signer(b"other"), "up", "m"),
    StateSealer(make_signer(b"key"), "elsewhere", "m"),
    StateSealer(make_signer(b"key"), "up", "n"),
]
WORDS = st.text(max_size=20)
THOUGHTS = st.lists(st.builds(CarriedThought, WORDS, WORDS, WORDS, st.booleans()), max_size=3).map(tuple)
PURE = re.compile(r"[A-Za-z0-9+/]+={0,2}")
BOUND = bind_call("c1")


def urlsafe(signature):
    """As Python's SDK sends a signature back."""
    return base64.urlsafe_b64encode(base64.b64decode(signature, validate=True)).decode()


@given(THOUGHTS, st.text(max_size=10))
def test_carriers_round_trip(thoughts, call_id):
    """Padded base64 in the standard alphabet, which begins with the mark, and is read in either alphabet, padded or
    not."""
    made = pack(thoughts, bind_call(call_id), SEALER)
    assert PURE.fullmatch(made)
    assert len(made) % 4 == 0
    assert made.startswith("cnRyMS4A")
    assert (MARK, is_carrier(made), is_dummy(made)) == ("cnRyMS4A", True, False)
    for form in (made, urlsafe(made), made.rstrip("="), urlsafe(made).rstrip("=")):
        assert unpack(form, bind_call(call_id), SEALER) == thoughts


@given(THOUGHTS, st.integers(0, 10_000), st.sampled_from("AaZz09+/-_=?é"))
def test_tampered_carriers_are_refused(thoughts, place, letter):
    """A signature with one letter changed is not opened, and never an error."""
    made = pack(thoughts, BOUND, SEALER)
    at = place % len(made)
    changed = made[:at] + letter + made[at + 1 :]
    opened = unpack(changed, BOUND, SEALER)
    same = changed.translate(str.maketrans("-_", "+/")).rstrip("=") == made.rstrip("=")
    # The last letter of unpadded base64 has bits that stand for nothing.
    assert opened is None or same or at >= len(made.rstrip("=")) - 1
    for cut in (made[:at], made[at:], changed + "A", MARK, MARK + "AAAA"):
        assert unpack(cut, BOUND, SEALER) in (None, thoughts)


@given(st.text(max_size=40))
def test_anything_else_is_no_carrier(text):
    """Whatever a caller sends as a signature."""
    assert unpack(text, BOUND, SEALER) is None
    assert unpack(MARK + text, BOUND, SEALER) is None


def test_carriers_belong_to_one_upstream_and_one_call():
    """Another key, upstream, model or call cannot open it."""
    made = pack((THOUGHT,), BOUND, SEALER)
    assert unpack(made, BOUND, SEALER) == (THOUGHT,)
    assert [unpack(made, BOUND, other) for other in OTHERS] == [None, None, None]
    assert unpack(made, bind_call("c2"), SEALER) is None
    assert unpack(made, TextBinding().bind(), SEALER) is None


def test_other_sealed_state_is_no_carrier():
    """State that was sealed with the same key for other protocols is not taken for one, nor the other way round."""
    head = base64.b64decode(MARK)
    other = base64.b64encode(head + SEALER.seal_bytes("signature", "[]", BOUND)).decode()
    assert unpack(other, BOUND, SEALER) is None
    made = base64.b64decode(pack((), BOUND, SEALER))[len(head) :]
    assert SEALER.unseal("rtr1." + base64.urlsafe_b64encode(made).decode(), BOUND) is None
    wrong = base64.b64encode(head + SEALER.seal_bytes("thoughts", '{"a":1}', BOUND)).decode()
    assert unpack(wrong, BOUND, SEALER) is None


@given(st.lists(st.text(max_size=8), max_size=6))
def test_text_is_bound_without_its_blanks(pieces):
    """Clients trim texts, and join and split them anew."""
    one, other, third = TextBinding(), TextBinding(), TextBinding()
    for piece in pieces:
        one.add(piece)
        other.add(f" \n{piece}\t")
    third.add("".join(pieces))
    assert one.bind() == other.bind() == third.bind()
    assert third.empty is not any(pieces)
    one.add("x")
    assert one.bind() != other.bind()


# What an upstream answered, and the blocks that it must find in its history.
SIGNED = Thinking("Let me see.", "c2ln")
OPAQUE = Thinking(redacted="b3BhcXVl")
LOOK = ToolCall("c1", "look", '{"a":1}')
PEEK = ToolCall("c2", "peek", "{}")
HISTORIES = {
    "a call": [SIGNED, LOOK],
    "text and a call": [SIGNED, Text("So: "), LOOK],
    "text between": [SIGNED, OPAQUE, Text("So: "), Thinking("And now.", "YWJj"), LOOK],
    "two calls": [SIGNED, LOOK, PEEK],
    "thinking between calls": [SIGNED, LOOK, Thinking("More.", "eHl6"), Text("then "), PEEK],
    "opaque": [OPAQUE, LOOK],
    "text alone": [SIGNED, Text("The answer.")],
    "thinking at the end": [Text("The answer."), SIGNED],
    "thinking behind a call": [LOOK, SIGNED],
    "thinking around a text": [SIGNED, Text("The answer."), OPAQUE],
    "without a signature": [Thinking("hm"), LOOK],
    "without text": [Thinking("", "c2ln"), LOOK],
    "nothing but thinking": [SIGNED],
    "none": [Text("The answer."), LOOK],
}


def as_gemini_cli(content):
    """Thoughts are dropped, texts that follow each other are joined, an empty text loses its field."""
    parts = []
    for part in content["parts"]:
        if part.get("thought"):
            continue
        if parts and part.get("text") and "text" in parts[-1] and "thoughtSignature" not in parts[-1]:
            parts[-1] = {**part, "text": parts[-1]["text"] + part["text"]}
        elif part.get("text") == "" and "thoughtSignature" in part:
            parts.append({"thoughtSignature": part["thoughtSignature"]})
        elif part.get("text") != "":
            parts.append(part)
    return [{"role": "model", "parts": parts}]


def as_python(content):
    """Each chunk is kept as a content of its own, and signatures change their alphabet."""
    return [{"role": "model", "parts": [_reencode(part)]} for part in content["parts"]]


def _reencode(part):
    found = part.get("thoughtSignature")
    return {**part, "thought_signature": urlsafe(found), "thoughtSignature": None} if found else part


def as_ai_sdk(content):
    """A signature stands on the text itself, and the text is trimmed."""
    parts = [dict(part) for part in content["parts"]]
    for at in range(len(parts) - 1, 0, -1):
        before = parts[at - 1]
        if parts[at].get("text") == "" and before.get("text") and not before.get("thought"):
            before["thoughtSignature"] = parts.pop(at)["thoughtSignature"]
            before["text"] = before["text"].strip()
    return [{"role": "model", "parts": parts}]


CLIENTS = [as_gemini_cli, as_python, as_ai_sdk, lambda content: [content]]


def sealed(block):
    """A block as the encoder for its upstream gets it."""
    if not isinstance(block, Thinking):
        return block
    seal = context().sealer.seal
    if block.redacted:
        return Thinking(redacted=seal("redacted", block.redacted, ""))
    return Thinking(block.text, seal("signature" if block.signature else "text", block.signature, block.text))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("name", HISTORIES)
def test_reasoning_comes_back_where_it_stood(name, client, shown):
    """Whichever client keeps the history: the same blocks in the same order, each with its signature."""
    ctx = context()
    ctx.shows_reasoning = shown
    content = whole(answer(*HISTORIES[name]), ctx)["candidates"][0]["content"]
    results = [response(name="look", call_id="c1")] if LOOK in HISTORIES[name] else []
    results += [response(name="peek", call_id="c2")] if PEEK in HISTORIES[name] else []
    found, losses = turns(user("go"), *client(content), user(*(results or ["and?"])))
    said = tuple(Text(block.text.strip()) if isinstance(block, Text) else block for block in found[1].blocks)
    assert said == tuple(Text(one.text.strip()) if isinstance(one, Text) else sealed(one) for one in HISTORIES[name])
    assert losses == []


DRAWN = st.lists(
    st.one_of(
        st.sampled_from(["a", "b c", " d\n", "é"]).map(Text),
        st.builds(Thinking, st.sampled_from(["", "hm"]), st.sampled_from(["c2ln", "YWJj"])),
        st.just(OPAQUE),
        st.sampled_from(["look", "peek"]).map(lambda name: ToolCall("", name, '{"a":1}')),
    ),
    min_size=1,
    max_size=7,
).map(
    lambda blocks: [
        ToolCall(f"c{at}", block.name, block.arguments) if isinstance(block, ToolCall) else block
        for at, block in enumerate(blocks)
    ]
)


@given(DRAWN, st.sampled_from(CLIENTS), st.booleans())
def test_no_reasoning_is_lost_or_repeated(blocks, client, shown):
    """Of any answer: all reasoning comes back once and in order, between the calls between which it stood, and text
    and calls as they were."""
    ctx = context()
    ctx.shows_reasoning = shown
    content = whole(answer(*blocks), ctx)["candidates"][0]["content"]
    found, losses = turns(user("go"), *client(content), user("so?"))
    back = found[1].blocks
    assert losses == []
    assert by_call(back) == by_call([sealed(block) for block in blocks])


def by_call(blocks):
    """For each stretch up to a call: its reasoning, its text without blanks, and the call."""
    stretches = [([], [], None)]
    for block in blocks:
        thoughts, texts, _ = stretches[-1]
        if isinstance(block, ToolCall):
            stretches[-1] = (thoughts, texts, block)
            stretches.append(([], [], None))
        elif isinstance(block, Text):
            texts += "".join(block.text.split())
        else:
            thoughts.append(block)
    return stretches


@pytest.mark.parametrize("shown", [True, False])
def test_a_tampered_carrier_is_a_loss(shown):
    """It is dropped and named; what the client sent as plain thought stays plain."""
    ctx = context()
    ctx.shows_reasoning = shown
    parts = whole(answer(SIGNED, LOOK), ctx)["candidates"][0]["content"]["parts"]
    made = parts[-1]["thoughtSignature"]
    parts[-1]["thoughtSignature"] = made[:60] + ("A" if made[60] != "A" else "B") + made[61:]
    found, losses = turns(user("go"), model(*parts), user(response()))
    assert found[1].blocks == ((Thinking("Let me see."), LOOK) if shown else (LOOK,))
    assert losses == [f"contents[1].parts[{len(parts) - 1}].thoughtSignature=dropped"]


def test_a_carrier_on_another_call_is_a_loss():
    """A signature that was moved to another call, or whose text was changed, is not opened."""
    made = pack((THOUGHT,), BOUND, SEALER)
    moved = call(call_id="c9", thoughtSignature=made)
    found, losses = turns(user("go"), model(moved), user(response(call_id="c9")))
    assert found[1].blocks == (ToolCall("c9", "look", "{}"),)
    assert losses == ["contents[1].parts[0].thoughtSignature=dropped"]
    said = TextBinding()
    said.add("The answer.")
    closing = {"text": "", "thoughtSignature": pack((THOUGHT,), said.bind(), SEALER)}
    found, losses = turns(user("go"), model("Another answer.", closing), user("so?"))
    assert found[1].blocks == (Text("Another answer."),)
    assert losses == ["contents[1].parts[1].thoughtSignature=dropped"]


def test_one_answer_has_one_signature_on_its_text():
    """Copies of it are dropped: they would repeat the reasoning."""
    said = TextBinding()
    said.add("ab")
    made = pack((THOUGHT,), said.bind(), SEALER)
    found, losses = turns(user("go"), model({"text": "a", "thoughtSignature": made}, {"text": "b"}), user("so?"))
    assert (found[1].blocks, losses) == ((THOUGHT.seal(SEALER), Text("ab")), [])
    copies = [{"text": "a", "thoughtSignature": made}, {"thoughtSignature": made}, {"text": "b"}]
    found, losses = turns(user("go"), model(*copies), user("so?"))
    assert found[1].blocks == (THOUGHT.seal(SEALER), Text("ab"))
    assert losses == ["contents[1].parts[1].thoughtSignature=dropped"]


def test_a_history_of_several_models_is_read():
    """Real signatures of Gemini, carriers of this and another upstream, and dummies in one body."""
    mine, other = pack((THOUGHT,), bind_call("1"), SEALER), pack((THOUGHT,), bind_call("2"), OTHERS[1])
    signatures = {"1": mine, "2": other, "3": "Q2lRQg==", "4": "skip_thought_signature_validator"}
    contents = [user("go")]
    for name, signature in signatures.items():
        contents += [model(call(call_id=name, thoughtSignature=signature)), user(response(call_id=name))]
    found, losses = turns(*contents)
    assert found[1].blocks[0] == THOUGHT.seal(SEALER)
    assert [len(turn.blocks) for turn in found[3::2]] == [1, 1, 1]
    assert losses == ["contents[3].parts[0].thoughtSignature=dropped", "contents[5].parts[0].thoughtSignature=dropped"]


def test_many_copies_of_a_carrier_are_read_in_time():
    """Each costs its own size, not that of the whole conversation."""
    said = TextBinding()
    said.add("x" * 100_000)
    made = pack((THOUGHT,), said.bind(), SEALER)
    parts = [{"text": "x" * 100_000}, {"thoughtSignature": made}, *({"thoughtSignature": made} for _ in range(2000))]
    found, losses = turns(user("go"), model(*parts), user("so?"))
    assert found[1].blocks[0] == THOUGHT.seal(SEALER)
    assert len(losses) == 200
