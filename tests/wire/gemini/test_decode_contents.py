"""The contents of a Gemini request: what each part becomes, how calls and responses are paired, what is refused."""

import base64

import pytest

from router.errors import BadRequest
from router.ir import Document, Image, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire import translate
from router.wire.gemini.carriers import DUMMIES

from ..translations import PNG, context, sent
from .gemini_samples import BLOB, LOOK, PDF, asked, call, decoded, model, response, turns, user

URLSAFE = base64.urlsafe_b64encode(b"\xfb\xff\xfe").decode()
PART = "contents[0].parts[0]"
TEXT_FILE = {"mimeType": "text/csv", "data": base64.b64encode(b"a,b").decode(), "displayName": "t.csv"}

USER_PARTS = [
    ({"text": "a"}, Text("a"), []),
    ({"inlineData": BLOB}, Image("image/png", PNG), []),
    ({"inline_data": {"mime_type": "image/png", "data": PNG}}, Image("image/png", PNG), []),
    ({"inlineData": {"mimeType": "image/jpg", "data": PNG}}, Image("image/jpeg", PNG), []),
    ({"inlineData": {"mimeType": "IMAGE/WEBP", "data": URLSAFE}}, Image("image/webp", "+//+"), []),
    ({"inlineData": {"mimeType": "image/gif", "data": PNG.rstrip("=")}}, Image("image/gif", PNG), []),
    ({"inlineData": PDF}, Document("application/pdf", "JVBERi0="), []),
    ({"inlineData": {**PDF, "displayName": "a.pdf"}}, Document("application/pdf", "JVBERi0=", title="a.pdf"), []),
    ({"inlineData": TEXT_FILE}, Text("Title: t.csv\na,b"), ["contents[0].parts[0].inlineData=weakened"]),
    (
        {"inlineData": {"mimeType": "application/json", "data": "e30"}},
        Text("{}"),
        ["contents[0].parts[0].inlineData=weakened"],
    ),
    ({"fileData": {"fileUri": "https://a/b.png", "mimeType": "image/png"}}, Image(url="https://a/b.png"), []),
    ({"file_data": {"file_uri": "https://a/b.heic", "mime_type": "image/heic"}}, Image(url="https://a/b.heic"), []),
    ({"fileData": {"fileUri": "https://a/b", "mimeType": "application/pdf"}}, Document(url="https://a/b"), []),
    (
        {"inlineData": BLOB, "videoMetadata": {"fps": 1}},
        Image("image/png", PNG),
        ["contents[0].parts[0].videoMetadata=dropped"],
    ),
    ({"text": "a", "partMetadata": {"a": 1}}, Text("a"), ["contents[0].parts[0].partMetadata=dropped"]),
    ({"text": "a", "mediaResolution": {"level": "LOW"}}, Text("a"), ["contents[0].parts[0].mediaResolution=dropped"]),
    ({"text": "a", "thought": True}, Text("a"), ["contents[0].parts[0].thought=dropped"]),
    ({"text": "a", "thought": False}, Text("a"), []),
    ({"text": "a", "inlineData": None}, Text("a"), []),
]


@pytest.mark.parametrize(("part", "block", "wanted"), USER_PARTS)
def test_parts_of_the_user(part, block, wanted):
    """Texts, images and documents in either spelling; what is beside them and has no counterpart is named."""
    [turn], losses = turns(user(part))
    assert turn == Turn("user", (block,), "contents[0]")
    assert losses == wanted


@pytest.mark.parametrize(
    "content", [{"parts": [{"text": "a"}]}, user("a"), {"role": "function", "parts": [{"text": "a"}]}]
)
def test_roles_of_the_user(content):
    """A content without a role is the user's, and so is one of the old role for responses."""
    assert turns(content) == ((Turn("user", (Text("a"),), "contents[0]"),), [])


MODEL_PARTS = [
    ([{"text": "a"}], [Text("a")], []),
    ([{"text": "a"}, {"text": ""}, {"text": "b"}], [Text("ab")], []),
    ([{"text": "hm", "thought": True}, {"text": "a"}], [Thinking("hm"), Text("a")], []),
    ([{"functionCall": {"id": "c", "name": "f", "args": {"b": 1, "a": 2}}}], [ToolCall("c", "f", '{"b":1,"a":2}')], []),
    ([{"function_call": {"id": "c", "name": "f"}}], [ToolCall("c", "f", "{}")], []),
    ([{"text": "a"}, call()], [Text("a"), ToolCall("c1", "look", "{}")], []),
    (
        [{"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"output": "1\n"}}],
        [Text("[code python]\n1"), Text("[result] 1")],
        ["contents[1].parts[0]=weakened", "contents[1].parts[1]=weakened"],
    ),
    (
        [
            {"toolCall": {"id": "1", "toolType": "GOOGLE_SEARCH", "args": {"q": "x"}}},
            {"toolResponse": {"id": "1", "toolType": "GOOGLE_SEARCH", "response": {"a": 1}}},
        ],
        [Text('[tool google_search {"q":"x"}]'), Text('[response of the tool google_search {"a":1}]')],
        ["contents[1].parts[0]=weakened", "contents[1].parts[1]=weakened"],
    ),
]


@pytest.mark.parametrize(("parts", "blocks", "wanted"), MODEL_PARTS)
def test_parts_of_the_model(parts, blocks, wanted):
    """Texts that follow each other are one; what Google ran itself is told as text."""
    found, losses = turns(user("go"), model(*parts))
    assert found[1] == Turn("assistant", tuple(blocks), "contents[1]")
    assert losses == wanted


def test_chunks_of_a_stream_are_one_turn():
    """SDKs keep each chunk of a stream as a content of its own: they are one answer, and their text is one text."""
    found, losses = turns(user("go"), model("Hel"), model("lo"), model({"text": ""}), model(call()), user(response()))
    assert found[1] == Turn("assistant", (Text("Hello"), ToolCall("c1", "look", "{}")), "contents[1]")
    assert found[2] == Turn("user", (ToolResult("c1", (Text("ok"),)),), "contents[5]")
    assert losses == []


def test_contents_of_the_user_stay_apart():
    """Each is a turn of its own."""
    found, _ = turns(user("a"), user("b"))
    assert [turn.path for turn in found] == ["contents[0]", "contents[1]"]


def test_empty_texts_are_left_out():
    """A content of the user with nothing else is no turn."""
    found, losses = turns(user("a", ""), user(""), user("b"))
    assert [turn.blocks for turn in found] == [(Text("a"),), (Text("b"),)]
    assert losses == []


def test_an_answer_without_parts_is_no_turn():
    """Google ends an answer at its limit without any part, and callers send it back."""
    found, losses = turns(user("a"), {"role": "model"}, user("b"))
    assert [turn.role for turn in found] == ["user", "user"]
    assert losses == []


@pytest.mark.parametrize("dummy", DUMMIES)
@pytest.mark.parametrize("form", [str, lambda one: base64.b64encode(one.encode()).decode().rstrip("=")])
def test_documented_dummies_are_no_signatures(dummy, form):
    """What Google documents in place of a signature is no loss, as it is or as base64."""
    found, losses = turns(user("go"), model(call(thoughtSignature=form(dummy))), user(response()))
    assert found[1].blocks == (ToolCall("c1", "look", "{}"),)
    assert losses == []


def test_foreign_signatures_are_named():
    """A signature of Gemini belongs to Gemini; a part may hold nothing else."""
    parts = [{"text": "a", "thoughtSignature": "Zm9v"}, {"thought_signature": "Zm9v"}, call(thoughtSignature="Zm9v")]
    found, losses = turns(user("go"), model(*parts), user(response()))
    assert found[1].blocks == (Text("a"), ToolCall("c1", "look", "{}"))
    assert losses == [
        "contents[1].parts[0].thoughtSignature=dropped",
        "contents[1].parts[1].thought_signature=dropped",
        "contents[1].parts[2].thoughtSignature=dropped",
    ]


OUTPUTS = [
    ({"output": "a"}, "a", False),
    ({"result": "a"}, "a", False),
    ({"content": "a"}, "a", False),
    ({"name": "look", "content": "a"}, "a", False),
    ({"name": "other", "content": "a"}, '{"name":"other","content":"a"}', False),
    ({"name": "look", "content": {"b": 1}}, '{"name":"look","content":{"b":1}}', False),
    ({"name": "look", "error": "no"}, '{"name":"look","error":"no"}', False),
    ({"error": "no"}, "no", True),
    ({"error": {"code": 1}}, '{"code":1}', True),
    ({"output": {"b": 1, "a": [2]}}, '{"output":{"b":1,"a":[2]}}', False),
    ({"output": "a", "more": 1}, '{"output":"a","more":1}', False),
    ({"temperature": 21}, '{"temperature":21}', False),
    ({"output": '{"$ref": "#/x"}'}, '{"$ref": "#/x"}', False),
]


@pytest.mark.parametrize(("given", "text", "failed"), OUTPUTS)
def test_responses_become_results(given, text, failed):
    """One text under a usual name is the result itself; all else is its JSON."""
    part = {"functionResponse": {"id": "c1", "name": "look", "response": given}}
    found, losses = turns(user("go"), model(call()), user(part))
    assert found[2].blocks == (ToolResult("c1", (Text(text),), failed),)
    assert losses == []


@pytest.mark.parametrize("given", [{}, {"output": ""}, None])
def test_empty_responses_have_no_content(given):
    """A result without anything to say."""
    part = {"functionResponse": {"id": "c1", "name": "look", "response": given}}
    found, _ = turns(user("go"), model(call()), user(part))
    assert found[2].blocks == (ToolResult("c1"),)


def test_parts_of_a_response_are_its_content():
    """Files in a response are part of the result; scheduling is a hint."""
    parts = [{"inlineData": BLOB}, {"inlineData": PDF}]
    found, losses = turns(user("go"), model(call()), user(response(parts=parts, scheduling="SILENT")))
    content = (Text("ok"), Image("image/png", PNG), Document("application/pdf", "JVBERi0="))
    assert found[2].blocks == (ToolResult("c1", content),)
    assert losses == ["contents[2].parts[0].functionResponse.scheduling=dropped"]


def test_an_image_behind_a_response_is_its_output():
    """Gemini CLI sends an image that a tool read behind the response; behind one that has an image it is the user's."""
    image = Image("image/png", PNG)
    found, _ = turns(user("go"), model(call()), user(response(), {"inlineData": BLOB}, {"inlineData": BLOB}))
    assert found[2].blocks == (ToolResult("c1", (Text("ok"), image)), image)
    found, _ = turns(user("go"), model(call()), user(response(), "look:", {"inlineData": BLOB}))
    assert found[2].blocks == (ToolResult("c1", (Text("ok"),)), Text("look:"), image)


def ids(*contents):
    """The ids of all calls, and those that the results answer."""
    found, _ = turns(user("go"), *contents)
    blocks = [block for turn in found for block in turn.blocks]
    return [one.id for one in blocks if isinstance(one, ToolCall)], [
        (one.call_id, one.content[0].text) for one in blocks if isinstance(one, ToolResult)
    ]


def test_calls_without_ids_get_one():
    """It depends on the place, the name and the arguments alone: it is the same in the next request."""
    first = model(call(call_id=None, args={"a": 1}), call(call_id=None, args={"a": 1}))
    [one, other], answered = ids(first, user(response("1", call_id=None), response("2", call_id=None)))
    assert one != other
    assert all(name.startswith("call_") and len(name) == 25 for name in (one, other))
    assert answered == [(one, "1"), (other, "2")]
    assert ids(first, user(response(call_id=None)), model("so"), user("and?"))[0] == [one, other]
    assert ids(model(call(call_id=None, args={"a": 2})))[0][0] not in (one, other)
    assert ids(model("x"), user("y"), first)[0][0] != one


def test_responses_without_ids_are_paired_by_name_and_order():
    """The first open call of the name, and failing that the first open one; the number of both decides nothing."""
    called = model(call("a", None), call("b", None), call("a", None))
    given = user(response("b1", "b", None), response("a1", "a", None), response("x", "other", None))
    [first, second, third], answered = ids(called, given)
    assert answered == [(second, "b1"), (first, "a1"), (third, "x")]


def test_responses_with_ids_are_paired_by_them():
    """Two calls of one name whose responses come in the other order."""
    called = model(call(call_id="1"), call(call_id="2"))
    assert ids(called, user(response("two", call_id="2"), response("one", call_id="1")))[1] == [
        ("2", "two"),
        ("1", "one"),
    ]


def test_one_side_without_ids():
    """A response without an id answers a call with one, and one with an id a call that has none."""
    assert ids(model(call(call_id="1")), user(response("x", call_id=None)))[1] == [("1", "x")]
    [made], answered = ids(model(call(call_id=None)), user(response("x", call_id="look_17_0")))
    assert answered == [(made, "x")]


def test_responses_belong_to_the_answer_before_them():
    """A call that was never answered is not answered later."""
    _, answered = ids(model(call("a", "1")), user("never mind"), model(call("a", "2")), user(response("x", "a", None)))
    assert answered == [("2", "x")]


@pytest.mark.parametrize(("given", "wanted"), [("c9", "c9"), (None, "look")])
def test_a_response_without_a_call_keeps_a_name(given, wanted):
    """It has the id it came with, or the name; each encoder delivers it as text."""
    found, _ = turns(user(response(call_id=given)))
    assert found[0].blocks == (ToolResult(wanted, (Text("ok"),)),)
    body, losses = sent(
        asked(user(response(call_id=given)), tools=[{"functionDeclarations": [LOOK]}]), "gemini", target="chat"
    )
    assert body["messages"] == [{"role": "user", "content": f"[orphan tool result {wanted}] ok"}]
    assert losses == ["contents[0]=weakened"]


REFUSED = [
    ([{"role": "assistant", "parts": [{"text": "a"}]}], "contents[0].role:"),
    ([{"role": "system", "parts": [{"text": "a"}]}], "contents[0].role:"),
    ([user()], "contents[0].parts:"),
    ([{"role": "model"}], "contents: no content"),
    ([user(""), user({"text": "", "thoughtSignature": ""})], "contents: no content"),
    (["a"], "contents[0]: expected an object"),
    ([{"parts": [[]]}], f"{PART}: expected an object"),
    ([{"parts": {"text": "a"}}], "contents[0].parts: expected a list"),
    ([user({"text": "a", "inlineData": BLOB})], f"{PART}: a part holds one of"),
    ([user({})], f"{PART}: it holds nothing"),
    ([user({"videoMetadata": {}})], f"{PART}: it holds nothing"),
    ([user({"hologram": {}})], f"{PART}.hologram:"),
    ([user({"text": 1})], f"{PART}.text:"),
    ([user({"inlineData": {"data": PNG}})], f"{PART}.inlineData.mimeType:"),
    ([user({"inlineData": {"mimeType": "image/png"}})], f"{PART}.inlineData.data:"),
    ([user({"inlineData": {"mimeType": "image/png", "data": "?"}})], f"{PART}.inlineData.data: its base64"),
    ([user({"inlineData": {"mimeType": "text/plain", "data": "/w=="}})], f"{PART}.inlineData.data: it is no"),
    ([user({"inline_data": {"mime_type": "audio/wav", "data": PNG}})], f"{PART}.inline_data:"),
    ([user({"inlineData": {"mimeType": "image/heic", "data": PNG}})], f"{PART}.inlineData:"),
    ([user({"fileData": {"fileUri": "gs://a/b.png", "mimeType": "image/png"}})], f"{PART}.fileData.fileUri:"),
    (
        [user({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/files/x", "mimeType": "image/png"}})],
        f"{PART}.fileData.fileUri:",
    ),
    ([user({"fileData": {"fileUri": "https://youtu.be/x"}})], f"{PART}.fileData.fileUri:"),
    ([user({"fileData": {"fileUri": "https://[a", "mimeType": "image/png"}})], f"{PART}.fileData.fileUri:"),
    ([user({"fileData": {"fileUri": "https://a/b.mp4", "mimeType": "video/mp4"}})], f"{PART}.fileData:"),
    ([user(call())], f"{PART}.functionCall:"),
    ([model(response())], f"{PART}.functionResponse:"),
    ([model({"inlineData": BLOB})], f"{PART}:"),
    ([model({"functionCall": {"args": {}}})], f"{PART}.functionCall.name:"),
    ([model({"functionCall": {"name": "f", "args": "{}"}})], f"{PART}.functionCall.args:"),
    ([model({"functionCall": {"name": "f", "partialArgs": [{}]}})], f"{PART}.functionCall.partialArgs:"),
    ([model({"text": "a", "thoughtSignature": 1})], f"{PART}.thoughtSignature:"),
    ([user({"functionResponse": {"name": "f", "response": "a"}})], f"{PART}.functionResponse.response:"),
    ([user(response(willContinue=True))], f"{PART}.functionResponse.willContinue:"),
    ([user(response(parts=[{"text": "a"}]))], f"{PART}.functionResponse.parts[0]:"),
]


@pytest.mark.parametrize(("contents", "beginning"), REFUSED)
def test_parts_without_a_counterpart_are_refused(contents, beginning):
    """The error begins with the path of the part."""
    with pytest.raises(BadRequest) as refused:
        decoded({"contents": contents})
    assert refused.value.message.startswith(beginning)


def test_a_deep_body_is_refused():
    """Nesting over what can be translated is the caller's error."""
    deep = b'{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"a","parameters":%b}]}]}'
    schema = b'{"items":' * 900 + b"{}" + b"}" * 900
    with pytest.raises(BadRequest, match="nested too deep"):
        translate.request(deep % schema, "gemini", "chat", context())


def test_arguments_keep_the_order_of_their_keys():
    """The model wrote them so: another order would miss the upstream's cache."""
    args = {"z": 1, "a": {"y": "\u2028ü", "b": [1.0, None]}}
    found, _ = turns(user("go"), model(call(args=args)))
    assert found[1].blocks[0].arguments == '{"z":1,"a":{"y":"\u2028ü","b":[1.0,null]}}'


def test_losses_of_a_system_prompt_are_named():
    """A part of it with more than text."""
    _, losses = decoded(asked(user("go"), systemInstruction={"parts": [{"text": "a", "thought": True}]}))
    assert losses == ["systemInstruction.parts[0].thought=dropped"]
