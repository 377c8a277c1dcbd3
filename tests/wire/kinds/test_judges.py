"""The official SDKs of both languages and the AI SDK read every case of this folder as it is meant.

Each case is translated to both other protocols, as a stream and whole. Python's SDKs are in the test extra. Node's are
used where `node` is and FAIRLEAD_NODE_MODULES names a folder in which `npm install @anthropic-ai/sdk openai ai
@ai-sdk/anthropic @ai-sdk/openai @ai-sdk/openai-compatible` was run.
"""

import importlib
import json
import os
from pathlib import Path

import pytest

from router.wire import translate
from router.wire.openai import DECLINED

from ..responses_samples import RESPONSES
from ..test_translate_streams import CHAT, MESSAGES
from ..translations import context, streamed
from .case import Case
from .judges import MODULES, NODE, by_node, by_python, named_losses, seen, seen_by_ai

TARGETS = ("messages", "chat", "responses")
_CALLS = (("look", {"a": 1.0}), ("look", {}))
SAMPLES = [
    Case("sample", "chat", CHAT, "It is \u00e9\u2028 so.", "Let me see.", _CALLS, stop="tool"),
    Case("sample", "messages", MESSAGES, "It is \u00e9\u2028 so.", "Let me see.", _CALLS[:1], stop="tool"),
    Case("sample", "responses", RESPONSES, "It is \u00e9\u2028 so.", "Let me \n\nsee.", _CALLS, stop="tool"),
]
STOPS = {
    "messages": {
        "end": "end_turn",
        "length": "max_tokens",
        "context": "model_context_window_exceeded",
        "tool": "tool_use",
        "sequence": "stop_sequence",
        "refusal": "refusal",
        "pause": "pause_turn",
    },
    "chat": {"length": "length", "context": "length", "tool": "tool_calls", "refusal": "content_filter"},
    "responses": {"length": "incomplete", "context": "incomplete"},
}
#: The AI SDK has one list of ends for all protocols; those of a refusal differ.
AI_STOPS = {"length": "length", "context": "length", "tool": "tool-calls"}


def found_cases():
    """The cases of this folder's modules, and the samples that other tests have."""
    cases = [*SAMPLES]
    for path in sorted(Path(__file__).parent.glob("answers_*.py")):
        cases += importlib.import_module(f".{path.stem}", __package__).CASES
    return cases


PARAMS = [
    pytest.param(case, target, stream, id=f"{case}-{target}-{'stream' if stream else 'whole'}")
    for case in found_cases()
    for target in TARGETS
    if target != case.source and target not in case.without
    for stream in (True, False)
]


def asked(case, target):
    """A context for which the caller's request was translated: with the case's tools, and its history's calls."""
    ctx = context()
    names = sorted({name for name, _ in case.calls}) or ["look"]
    schema = {"type": "object"}
    if target == "messages":
        turns = [[{"type": "tool_use", "id": one, "name": names[0], "input": {}}] for one in case.history]
        results = [[{"type": "tool_result", "tool_use_id": one, "content": "ok"}] for one in case.history]
        body = {"max_tokens": 9, "tools": [{"name": name, "input_schema": schema} for name in names]}
        pairs = zip(turns, results, strict=True)
        spoken = [
            turn
            for one, other in pairs
            for turn in ({"role": "assistant", "content": one}, {"role": "user", "content": other})
        ]
        body["messages"] = [{"role": "user", "content": "x"}, *spoken]
    elif target == "chat":
        spoken = []
        for one in case.history:
            call = {"id": one, "type": "function", "function": {"name": names[0], "arguments": "{}"}}
            spoken.append({"role": "assistant", "content": None, "tool_calls": [call]})
            spoken.append({"role": "tool", "tool_call_id": one, "content": "ok"})
        tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in names]
        body = {"messages": [{"role": "user", "content": "x"}, *spoken], "tools": tools}
    else:
        spoken = []
        for one in case.history:
            spoken.append({"type": "function_call", "call_id": one, "name": names[0], "arguments": "{}"})
            spoken.append({"type": "function_call_output", "call_id": one, "output": "ok"})
        tools = [{"type": "function", "name": name, "parameters": schema, "strict": False} for name in names]
        body = {"input": [{"role": "user", "content": "x"}, *spoken], "tools": tools}
    translate.request(json.dumps({"model": "x", **body}).encode(), target, case.source, ctx)
    ctx.losses.clear()
    ctx.request_sent = True
    return ctx


def translated(case, target, *, stream):
    """The bytes that the caller gets, and the paths of the losses it is told of."""
    ctx = asked(case, target)
    if case.streamed and stream:
        made = streamed([case.data], case.source, ctx, target)
    else:
        if case.streamed:
            found = translate.assemble_stream(case.data, case.source, target, ctx)
        else:
            found = translate.answer(case.data, case.source, target, ctx, stream=stream)
        assert found is not None, "it is no answer"
        assert found.status == 200, found.body
        made = found.body
    # A comment of the stream tells what was lost before its end; the rest is in the log.
    return made, [*named_losses(made), *(loss.path for loss in ctx.losses)]


def check(case, target, got, *, losses, reasons=True, ai=False):
    """Fail unless what was seen is what the case is about. reasons: the reader keeps reasoning."""
    refused = case.refusal
    texts = {case.text + refused} if target == "messages" else {case.text}
    if ai:
        texts.add(case.text + (refused or (DECLINED if case.stop == "refusal" else "")))
    assert got.text in texts
    if reasons:
        assert got.reasoning == case.reasoning
    assert got.calls == case.calls
    assert all(got.ids)
    assert len(set(got.ids) | set(case.history)) == len(got.ids) + len(case.history), "ids stand for two calls"
    if not any("citation" in path or "annotation" in path for path in losses):
        assert got.citations == case.citations
    if ai:
        assert got.stop == AI_STOPS.get(case.stop, got.stop)
        return
    declined = (DECLINED, "") if case.stop == "refusal" and not refused else (refused,)
    assert got.refusal in declined
    _check_stop(case, target, got)


def _check_stop(case, target, got):
    stop = "refusal" if target == "messages" and case.refusal and case.stop == "end" else case.stop
    default = {"chat": "stop", "responses": "completed"}.get(target, "")
    wanted = {STOPS[target].get(stop, default)}
    if target == "responses" and stop == "refusal":
        wanted = {"completed"} if got.text or got.refusal else {"incomplete"}
    if stop == "pause":
        wanted.add("end_turn")
    assert got.stop in wanted


def check_losses(case, target, told):
    """Fail unless the note of losses names what it must."""
    for path in (*case.losses.get("*", ()), *case.losses.get(target, ())):
        assert path in told


@pytest.mark.parametrize(("case", "target", "stream"), PARAMS)
def test_pythons_sdks(case, target, stream):
    """Python's SDKs read each case as it is meant, and what could not be carried is named."""
    made, told = translated(case, target, stream=stream)
    check(case, target, seen(target, by_python(target, made, streamed=stream)), losses=told)
    check_losses(case, target, told)


@pytest.fixture(scope="module")
def by_others():
    """What Node's judges see in each case: (judge, case, target, stream) -> their answer, read by one process."""
    if not (NODE and MODULES):
        pytest.skip("needs node, and FAIRLEAD_NODE_MODULES: a folder with the SDKs and the AI SDK")
    judges = ["sdk"]
    if (Path(os.path.abspath(MODULES)) / "node_modules" / "ai").is_dir():
        judges += ["ai", "ai-compatible"]
    keys, sent = [], []
    for param in PARAMS:
        case, target, stream = param.values
        names = sorted({name for name, _ in case.calls})
        made, _ = translated(case, target, stream=stream)
        for judge in judges:
            if judge != "ai-compatible" or target == "chat":
                keys.append((judge, param.id))
                sent.append((judge, target, made, stream, names))
    return dict(zip(keys, by_node(sent), strict=True))


def check_by_others(judge, found, case, target, stream):
    """Fail unless a judge of Node saw what the case is about."""
    assert "error" not in found or "id" in found, found
    _, told = translated(case, target, stream=stream)
    if judge == "sdk":
        # Node's helper overwrites the fields of a delta that it does not know, and reasoning is one.
        check(case, target, seen(target, found), losses=told, reasons=not (target == "chat" and stream))
        return
    assert not any(invalid for *_, invalid in found["calls"]), found["calls"]
    reasons = judge == "ai-compatible" or target != "chat"
    losses = [*told, "citations"] if judge == "ai-compatible" else told
    check(case, target, seen_by_ai(found), losses=losses, reasons=reasons, ai=True)


@pytest.mark.parametrize("judge", ["sdk", "ai", "ai-compatible"])
def test_nodes_sdks(by_others, judge):
    """Node's SDKs and the AI SDK read each case as Python's do."""
    # `ai-compatible` reads Chat alone.
    read = [(param, by_others[judge, param.id]) for param in PARAMS if (judge, param.id) in by_others]
    if not read:
        pytest.skip("the AI SDK is not installed")
    wrong = {}
    for param, found in read:
        try:
            check_by_others(judge, found, *param.values)
        except AssertionError as error:
            wrong[param.id] = str(error)
    assert wrong == {}
