"""Known pitfalls that need Responses, or all protocols; each test is named after their numbers
(test_traps_listed.py)."""

import json

import pytest

from router.wire import translate

from .responses_samples import (
    LOOK,
    USAGE,
    added,
    began,
    call_item,
    called,
    done,
    ended,
    frames,
    gpt5,
    legal,
    on,
    output,
    reasoning_item,
    say,
    shell,
    text_item,
)
from .test_responses_streams import calls, whole
from .test_translate_streams import legal_chat, legal_messages, texts
from .translations import DONE, TOOL, assistant, blocks, call, chunk, claude, context, event, gpt, sent, streamed, user


def to_responses(body, source="messages", **fields):
    return sent(body, source, "openai", "responses", **fields)[0]


def test_11_the_last_user_turn_stays():
    """Dropping a part never drops the last user turn, or the request would become a prefill."""
    mark = {"type": "text", "text": " ", "cache_control": {"type": "ephemeral"}}
    made = to_responses(claude(user("hi"), assistant("So."), user([mark])))
    assert made["input"][-1]["role"] == "user"


def test_21_what_the_newer_version_refuses_is_not_sent():
    """Citations on a user's text and documents in an assistant turn never reach a Messages backend."""
    cited = [{"type": "output_text", "text": "So.", "annotations": [{"type": "url_citation", "url": "u"}]}]
    asked = gpt5(say("user", "hi"), say("assistant", cited), say("user", "and?"))
    made, lost = sent(asked, "responses", "", "messages", model="claude-opus-5")
    assert "citations" not in json.dumps(made)
    assert lost == ["input[1].content[0].annotations=dropped"]


def test_22_nothing_is_said_between_calls():
    """Nothing stands between calls and results, since some servers look for results only up to the next message."""
    turn = assistant([{"type": "text", "text": "a"}, _use("t1"), {"type": "text", "text": "b"}, _use("t2")])
    made = to_responses(claude(user("hi"), turn, user([_result("t1"), _result("t2")])))
    kinds = [item["type"] for item in made["input"]]
    assert kinds == ["message", "message", *["function_call"] * 2, *["function_call_output"] * 2]
    assert [part["text"] for part in made["input"][1]["content"]] == ["a", "b"]


def _use(call_id):
    return {"type": "tool_use", "id": call_id, "name": "look", "input": {}}


def _result(call_id):
    return {"type": "tool_result", "tool_use_id": call_id, "content": "ok"}


def test_23_calls_stand_last_behind_what_the_server_ran():
    """A turn that mixes hosted calls and the caller's own ends with the caller's."""
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "x"}}
    asked = gpt5(say("user", "hi"), searched, called("t1"), output("t1"))
    made, _ = sent(asked, "responses", "", "messages")
    assert [block["type"] for block in made["messages"][1]["content"]] == ["text", "tool_use"]


def test_24_order_is_kept():
    """Reasoning, text and calls keep their order in the request and in the answer."""
    data = frames(*began(), *reasoning_item(0, "hm"), *text_item(1, "so"), *call_item(2, "c1", "look", "{}"), ended())
    made = streamed([data], "responses", target="messages")
    assert [block["type"] for block in blocks(made)] == ["thinking", "text", "tool_use"]
    again = legal(streamed([made], "messages", target="responses"))
    assert [item["type"] for item in again["output"]] == ["reasoning", "message", "function_call"]
    turn = assistant([{"type": "text", "text": "a"}, _use("t1")])
    made = to_responses(claude(user("hi"), turn, user([_result("t1")])))
    assert [item["type"] for item in made["input"]][1:3] == ["message", "function_call"]


def test_30_strict_is_always_said():
    """`strict` is always sent, since its default is true at OpenAI and the server would rewrite the schema."""
    for source, body in (
        ("messages", claude(user("hi"), tools=[TOOL])),
        ("chat", gpt(user("hi"), tools=[{"type": "function", "function": {"name": "look"}}])),
    ):
        assert [tool["strict"] for tool in to_responses(body, source)["tools"]] == [False]
    strict = {**TOOL, "strict": True, "input_schema": {**TOOL["input_schema"], "additionalProperties": False}}
    assert to_responses(claude(user("hi"), tools=[strict]))["tools"][0]["strict"] is True


def test_30_and_nothing_said_means_strict():
    """A Responses caller's missing `strict` is true where the schema fits it; else it is a loss, never a rewrite."""
    said = {name: value for name, value in LOOK.items() if name != "strict"}
    made, lost = sent(gpt5(say("user", "hi"), tools=[said]), "responses", "openai", "chat")
    assert made["tools"][0]["function"]["parameters"] == LOOK["parameters"]
    assert "strict" not in made["tools"][0]["function"]
    assert lost == ["tools[0].strict=weakened"]


def test_33_freeform_tools_are_bridged():
    """Free-text tools are not lost; responses/test_calls.py tests whole rounds."""
    patch = {"type": "custom", "name": "apply_patch", "description": "d"}
    for target in ("messages", "chat"):
        made, _ = sent(gpt5(say("user", "hi"), tools=[patch]), "responses", "", target)
        assert "apply_patch" in json.dumps(made["tools"])


@pytest.mark.parametrize("name", ["parallel", "multi_tool_use.parallel"])
def test_36_calls_in_a_wrapper(name):
    """An undeclared wrapper becomes the calls it holds, if all of them call declared tools."""
    uses = [{"recipient_name": "functions.look", "parameters": {"at": at}} for at in (1, 2)]
    found = _wrapped(name, uses)
    assert calls(found) == [("look", {"at": 1}), ("look", {"at": 2})]
    assert len({block.id for block in found.blocks}) == 2
    strange = [*uses, {"recipient_name": "functions.other", "parameters": {}}]
    assert [one[0] for one in calls(_wrapped(name, strange))] == [name]


def _wrapped(name, uses):
    ctx = context()
    translate.request(json.dumps(claude(user("hi"), tools=[TOOL])).encode(), "messages", "responses", ctx)
    data = frames(*began(), *call_item(0, "c1", name, json.dumps({"tool_uses": uses})), ended())
    return whole(streamed([data], "responses", ctx, "messages"), "messages")


def test_50_reasoning_goes_back_whole_or_not_at_all():
    """A reasoning item goes back with its opaque content or not at all, since its id alone may not be stored."""
    data = frames(*began(), *reasoning_item(0, "one", "two", proof="ENC"), *call_item(1, "c1", "look", "{}"), ended())
    for client in ("messages", "chat"):
        made = streamed([data], "responses", target=client)
        asked = _history(client, made)
        again = to_responses(asked, client)["input"]
        summary = [{"type": "summary_text", "text": text} for text in ("one", "two")]
        item = {"type": "reasoning", "id": "it_0", "summary": summary, "encrypted_content": "ENC"}
        assert again[1] == item, client
        other, lost = sent(asked, client, "openai", "responses", model="another")
        assert [one["type"] for one in other["input"]] == ["message", "function_call", "function_call_output"]
        assert any(one.endswith("reasoning=dropped") for one in lost)


def _history(client, made):
    """The conversation that a client sends next, of the answer it got."""
    if client == "messages":
        content = [{key: value for key, value in block.items() if key != "json"} for block in blocks(made)]
        return claude(user("hi"), assistant(content), user([_result("c1")]))
    found = json.loads(translate.encode_answer(whole(made, "chat"), "chat", context(), stream=False))
    message = found["choices"][0]["message"]
    details = [
        one["choices"][0]["delta"]["reasoning_details"]
        for one in (json.loads(data) for _, data in translate.payloads(made) if data != b"[DONE]")
        if one["choices"] and "reasoning_details" in one["choices"][0]["delta"]
    ]
    message = {**message, "reasoning_details": [entry for some in details for entry in some]}
    return gpt(user("hi"), message, {"role": "tool", "tool_call_id": "c1", "content": "ok"})


def test_48_50_reasoning_of_others_through_a_responses_client():
    """Sealed state holds the reasoning text too, since Codex sends nothing else back."""
    data = chunk({"reasoning_content": "hm"}) + chunk(call(0, "c1", "look", "{}")) + chunk({}, "tool_calls") + DONE
    response = legal(streamed([data], "chat", target="responses"))
    reasoning, made = response["output"]
    stripped = {**reasoning, "summary": []}
    asked = gpt5(say("user", "hi"), stripped, made, output("c1"))
    again, _ = sent(asked, "responses", "deepseek", "chat")
    assert again["messages"][1]["reasoning_content"] == "hm"


def test_51_the_kept_conversation_goes_in_front():
    """With previous_response_id the backend gets the stored conversation, then the new items, each once."""
    kept = {"resp_1": {"previous": "", "items": [say("user", "one"), say("assistant", "two")]}}
    ctx = context(stored=kept)
    body = gpt5(say("user", "three"), previous_response_id="resp_1")
    made = json.loads(translate.request(json.dumps(body).encode(), "responses", "chat", ctx).body)
    assert [message["content"] for message in made["messages"]] == ["one", "two", "three"]


def test_51_a_chain_of_answers():
    """A chain of answers is followed back to the oldest, which comes first; a loop ends."""
    kept = {f"resp_{at}": {"previous": f"resp_{at - 1}", "items": [say("user", str(at))]} for at in (1, 2, 3)}
    kept["resp_1"]["previous"] = "resp_3"
    ctx = context(stored=kept)
    body = gpt5(say("user", "new"), previous_response_id="resp_3")
    made = json.loads(translate.request(json.dumps(body).encode(), "responses", "chat", ctx).body)
    assert [message["content"] for message in made["messages"]] == ["1", "2", "3", "new"]


def test_51_a_reference_to_an_item():
    """A reference to a stored item becomes the item; one to an unknown item is left out and named as lost."""
    ctx = context(stored={"msg_1": say("assistant", "kept")})
    names = [{"type": "item_reference", "id": name} for name in ("msg_1", "msg_2")]
    body = gpt5(say("user", "one"), *names, say("user", "two"))
    made = json.loads(translate.request(json.dumps(body).encode(), "responses", "chat", ctx).body)
    assert [message["content"] for message in made["messages"]] == ["one", "kept", "two"]
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses] == ["item_reference msg_2=dropped"]


def test_52_the_proof_of_the_finished_item():
    """Opaque content is read from the finished item, since the beginning may hold only a part of it."""
    found = whole(frames(*began(), *reasoning_item(0, "hm", proof="WHOLE"), ended()), "responses")
    assert json.loads(found.blocks[0].signature)[1] == "WHOLE"


def test_56_responses_is_preferred_where_it_says_more():
    """Responses is preferred at OpenAI, which reports reasoning in Responses only."""
    assert translate.target_of("messages", ("chat", "responses"), "responses") == "responses"
    assert translate.target_of("messages", ("chat", "responses")) == "chat"
    assert translate.target_of("responses", ("chat", "responses"), "responses") == "chat"


def test_78_lines_that_are_no_events():
    """A comment between two events changes nothing for a Responses caller."""
    data = chunk({"content": "a"}) + b": OPENROUTER PROCESSING\r\n\r\n" + chunk({}, "stop") + DONE
    assert legal(streamed([data], "chat", target="responses"))["output"][0]["content"][0]["text"] == "a"


def test_81_what_is_unknown_is_passed_over():
    """New events, items and parts do not break a stream."""
    strange = [
        {"type": "response.hologram.delta", "output_index": 9, "delta": "x"},
        {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws"},
        done(7, "hologram"),
    ]
    data = frames(*began(), *strange, *text_item(1, "so"), ended())
    made = streamed([data], "responses", target="messages")
    legal_messages(made)
    assert texts(whole(made, "messages")) == "so"


def test_82_a_delta_of_another_kind_opens_a_block_of_its_own():
    """Text, reasoning and text again are three blocks."""
    data = chunk({"content": "a"}) + chunk({"reasoning_content": "b"}) + chunk({"content": "c"})
    data += chunk({}, "stop") + DONE
    assert [block["type"] for block in blocks(streamed([data], "chat"))] == ["text", "thinking", "text"]
    response = legal(streamed([data], "chat", target="responses"))
    assert [item["type"] for item in response["output"]] == ["message", "reasoning", "message"]


def test_84_blocks_are_closed_where_they_end():
    """Each block is closed where it ends, not at the end of the stream."""
    data = chunk({"reasoning_content": "a"}) + chunk({"content": "b"}) + chunk({}, "stop") + DONE
    made = streamed([data], "chat", target="responses")
    closed, opened = made.index(b'output_item.done","'), made.rindex(b'output_item.added","')
    assert closed < opened


def test_85_streams_at_the_same_time_share_nothing():
    """Two streams translated at the same time yield what each yields alone."""
    samples = [frames(*began(), *text_item(0, *said), ended()) for said in (("a", "b"), ("c", "d"))]
    alone = [streamed([data], "responses", target="chat") for data in samples]
    streams = [translate.Stream("responses", "chat", context()) for _ in samples]
    out = [b"", b""]
    for parts in zip(*(data.split(b"\n\n") for data in samples), strict=True):
        for at, part in enumerate(parts):
            out[at] += streams[at].feed(part + b"\n\n")
    assert out == alone


def test_88_every_event_that_readers_need():
    """Sequence numbers, log probabilities, parts and a terminal event are sent, also for an empty answer."""
    empty = legal(streamed([chunk({}, "stop") + DONE], "chat", target="responses"))
    assert (empty["output"], empty["status"]) == ([], "completed")
    assert all(name in empty for name in ("tools", "tool_choice", "parallel_tool_calls", "text", "truncation"))


def test_89_ids_that_change():
    """Items are identified by their index, since some servers change the ids."""
    found = text_item(0, "a", "b")
    for at, one in enumerate(found):
        one["item_id"] = f"other_{at}"
    made = streamed([frames(*began(), *found, ended())], "responses", target="chat")
    legal_chat(made)
    assert texts(whole(made, "chat")) == "ab"


def test_90_servers_that_leave_most_of_it_out():
    """Content is sent once, also when the server leaves out deltas, items or the final output."""
    part = {"type": "output_text", "text": "so", "annotations": []}
    item = {"type": "message", "id": "m", "role": "assistant", "content": [part]}
    only_done = frames(*began(), done(0, "message", role="assistant", content=[part]), ended())
    only_end = frames(ended(output=[item]))
    only_deltas = frames(*began(), on("output_text.delta", 0, content_index=0, delta="so"), ended())
    call_done = frames(*began(), done(0, "function_call", call_id="c", name="look", arguments='{"a":1}'), ended())
    for data in (only_done, only_end, only_deltas):
        assert texts(whole(data, "responses")) == "so"
    assert calls(whole(call_done, "responses")) == [("look", {"a": 1})]
    nothing = frames(*began(), {"type": "response.completed", "response": {**shell("completed"), "output": None}})
    assert whole(nothing, "responses").blocks == ()


def test_91_text_that_is_said_again_at_the_end():
    """Text repeated by the last event is not sent again, and the arguments of a call are sent once."""
    part = {"type": "output_text", "text": "so", "annotations": []}
    item = {"type": "message", "id": "it_0", "role": "assistant", "content": [part]}
    data = frames(*began(), *text_item(0, "so"), *call_item(1, "c1", "look", '{"a":1}'), ended(output=[item]))
    found = whole(data, "responses")
    assert (texts(found), calls(found)) == ("so", [("look", {"a": 1})])


def test_91_a_custom_call_under_another_name():
    """A free-text call is read also from events of function calls."""
    begun = added(0, "custom_tool_call", call_id="c1", name="t", input="")
    delta = on("function_call_arguments.delta", 0, delta='a"b')
    finished = done(0, "custom_tool_call", call_id="c1", name="t", input='a"b')
    found = whole(frames(*began(), begun, delta, finished, ended()), "responses")
    assert calls(found) == [("t", {"input": 'a"b'})]


def test_95_more_than_one_choice():
    """A request for more than one choice is refused, not merged."""
    with pytest.raises(Exception, match="n: only one choice"):
        to_responses(gpt(user("hi"), n=2), "chat")


def test_97_the_least_limit():
    """A limit below sixteen tokens, which OpenAI refuses, is raised and named as a loss."""
    made, lost = sent(claude(user("hi"), max_tokens=5), "messages", "openai", "responses")
    assert (made["max_output_tokens"], lost) == (16, ["max_tokens=weakened"])


def test_70_71_usage_of_responses():
    """Cached tokens count once; a missing usage becomes zeros and is named."""
    found = whole(frames(*began(), *text_item(0, "so"), ended()), "responses")
    assert (found.usage.input, found.usage.cache_read, found.usage.output, found.usage.reasoning) == (6, 3, 4, 2)
    back = json.loads(translate.encode_answer(found, "responses", context(), stream=False))
    assert back["usage"] == USAGE
    bare = frames(*began(), {"type": "response.completed", "response": shell("completed")})
    made = streamed([bare], "responses", target="messages")
    assert b'"input_tokens":0' in made
    assert b": fairlead-loss usage=weakened" in made


def test_67_a_stream_without_its_end():
    """The end of the body without an end event is not an end."""
    data = frames(*began(), *text_item(0, "so"))
    for target in ("messages", "chat"):
        made = streamed([data], "responses", target=target)
        assert b"message_stop" not in made
        assert b'finish_reason":"' not in made


@pytest.mark.parametrize("kind", ["error", "nested error", "failed", "cancelled"])
@pytest.mark.parametrize("target", ["messages", "chat"])
def test_74_76_77_errors_in_mid_stream(kind, target):
    """An error of the upstream becomes one of the caller's protocol, and nothing follows."""
    said = {"code": "rate_limit_exceeded", "message": "slow down"}
    ends = {
        "error": {"type": "error", **said, "param": None},
        "nested error": {"type": "error", "error": {"type": "rate_limit_error", **said}},
        "failed": {"type": "response.failed", "response": shell("failed", error=said)},
        "cancelled": {"type": "response.cancelled", "response": shell("cancelled")},
    }
    data = frames(*began(), *text_item(0, "so", ends=False), ends[kind], *text_item(1, "more"), ended())
    made = streamed([data], "responses", target=target)
    assert b"more" not in made
    last = json.loads([payload for _, payload in translate.payloads(made)][-1])
    assert last["error"]["message"] == (
        "slow down" if kind != "cancelled" else "The upstream ended the answer as cancelled."
    )
    if kind != "cancelled":
        assert last["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize("source", ["chat", "messages"])
def test_76_an_error_for_a_responses_caller(source):
    """An error is `error`, flat and nested, then `response.failed` with the output so far, both numbered."""
    error = {"type": "overloaded_error", "message": "too busy"}
    if source == "chat":
        data = chunk({"content": "so"}) + b'data: {"error":{"code":503,"message":"too busy"}}\n\n'
    else:
        data = event("message_start", message={"id": "msg_1", "usage": {"input_tokens": 1, "output_tokens": 1}})
        data += event("content_block_start", index=0, content_block={"type": "text", "text": "so"})
        data += event("error", error=error)
    made = streamed([data], source, target="responses")
    found = [json.loads(payload) for _, payload in translate.payloads(made)]
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    flat, failed = found[-2:]
    assert (flat["type"], flat["message"], flat["error"]["message"]) == ("error", "too busy", "too busy")
    assert flat["error"]["type"] == "server_error"
    response = failed["response"]
    assert (failed["type"], response["status"], response["error"]["code"]) == (
        "response.failed",
        "failed",
        "server_error",
    )
    assert response["id"] == found[0]["response"]["id"]
    assert response["output"][0]["content"][0]["text"] == "so"
