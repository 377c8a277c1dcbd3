"""Answers of Responses upstreams: nothing is lost, nothing comes twice, and what is not carried is named."""

import json

import pytest

from router.ir import Text, Thinking, ToolCall
from router.wire import translate
from router.wire.neutral import assemble
from router.wire.responses import response

from ..conftest import FIXTURES
from ..kinds.answers_responses import CASES
from ..responses_samples import began, ended, frames, reasoning_item
from ..translations import context


def read(case, ctx):
    """The neutral answer of a case."""
    if case.streamed:
        return assemble.assemble_answer(translate.Stream("responses", "chat", ctx).all_events(case.data), ctx)
    return response.decode_answer(json.loads(case.data), ctx)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_answer_is_read_whole(case):
    """Text, reasoning, calls, citations and the reason of the end are read once, whichever event has them."""
    ctx = context(call_ids=frozenset(case.history))
    found = read(case, ctx)
    assert "".join(block.text for block in found.blocks if isinstance(block, Text)) == case.text
    assert "".join(block.text for block in found.blocks if isinstance(block, Thinking)) == case.reasoning
    calls = [block for block in found.blocks if isinstance(block, ToolCall)]
    if not case.without:
        assert [(call.name, json.loads(call.arguments)) for call in calls] == list(case.calls)
    ids = [call.id for call in calls]
    assert len({*ids, *case.history}) == len(ids) + len(case.history)
    cited = [one.url for block in found.blocks if isinstance(block, Text) for one in block.citations]
    assert (found.stop, found.refusal, cited) == (case.stop, case.refusal, list(case.citations))
    named = {loss.path for loss in ctx.losses}
    assert named == set(case.losses.get("*", ()))


def recorded(name):
    """A recorded answer, where recordings are at hand."""
    path = FIXTURES / "faults" / name
    if not path.exists():
        pytest.skip("no recording")
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("name", "losses", "cited", "logprobs"),
    [
        ("08-citations-lost/responses-to-chat-upstream.responses.json", set(), True, False),
        ("09-silent-losses/phase-upstream.responses.json", {"phase"}, False, False),
        ("09-silent-losses/logprobs-upstream.responses.json", set(), False, True),
    ],
)
def test_recorded_answers(name, losses, cited, logprobs):
    """Recorded whole answers: citations and log probabilities are read, the rest is named."""
    ctx = context(logprobs=logprobs)
    found = response.decode_answer(recorded(name), ctx)
    texts = [block for block in found.blocks if isinstance(block, Text)]
    assert [any(getattr(text, field) for text in texts) for field in ("citations", "logprobs")] == [cited, logprobs]
    assert {loss.path for loss in ctx.losses} == losses


def test_the_proof_of_reasoning_without_text():
    """A reasoning item without text keeps its proof, also while another one is open."""
    items = reasoning_item(0, "hm"), reasoning_item(1, proof="other")
    for events in ([*items[0], *items[1]], [*items[0][:-1], *items[1], items[0][-1]]):
        ctx = context()
        made = translate.Stream("responses", "chat", ctx).all_events(frames(*began(), *events, ended()))
        found = assemble.assemble_answer(made, ctx)
        proofs = [(block.text, json.loads(block.signature)[1]) for block in found.blocks if block.signature]
        assert ("", "other") in proofs
        assert ("hm", "other") not in proofs
