"""What a Gemini upstream is sent: the conversation, row by row."""

import msgspec
import pytest

from router.errors import BadRequest
from router.ir import Document, Image, Request, Text, Thinking, Tool, ToolCall, ToolResult, Turn
from router.wire.gemini.requests.encode_request import encode_request

from ..translations import context
from .legality import PLACEHOLDER
from .test_sent_request import HI, NEW, OLD, encoded

DATA = "iVBORw0KGgo="


def contents(*turns, model=NEW, **fields):
    """The contents, and the losses."""
    body, losses = encoded(model, turns=turns, **fields)
    return body["contents"], losses


def user(*blocks):
    return Turn("user", blocks, "messages[2]")


def model(*blocks):
    return Turn("assistant", blocks, "messages[1]")


def call(name="look", call_id="call_1", arguments="{}"):
    return ToolCall(call_id, name, arguments)


def result(text="", call_id="call_1", **fields):
    return ToolResult(call_id, (Text(text),) if text else (), **fields)


def sent_call(name="look", call_id="call_1", args=None, signature=PLACEHOLDER):
    """A call as it is sent to a model of version 3."""
    part = {"functionCall": {"id": call_id, "name": name, "args": args or {}}}
    return {**part, "thoughtSignature": signature} if signature else part


def sent_result(text, call_id="call_1", name="look", key="output", **fields):
    return {"functionResponse": {"id": call_id, "name": name, "response": {key: text}, **fields}}


def test_roles_alternate():
    """Turns of one role are one content; empty texts and what then is empty are left out."""
    found, losses = contents(HI, user(Text(""), Text("you")), model(Text("a")), user(Text("")), model(Text("b")), HI)
    assert found == [
        {"role": "user", "parts": [{"text": "hi"}, {"text": "you"}]},
        {"role": "model", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "user", "parts": [{"text": "hi"}]},
    ]
    assert losses == []


def test_conversation_that_begins_with_an_answer():
    """A user's content stands in front of it."""
    found, losses = contents(model(Text("hello")), HI)
    assert found[0] == {"role": "user", "parts": [{"text": "(conversation start)"}]}
    assert losses == ["messages[1]=weakened"]


@pytest.mark.parametrize("turns", [(), (user(),), (user(Text("")), model(Thinking("hm")))])
def test_conversation_of_nothing(turns):
    """What would be refused there without a word that helps is refused here."""
    with pytest.raises(BadRequest, match="a conversation without any text or call cannot be sent"):
        encode_request(Request(model=NEW, turns=turns), context("gemini", model=NEW))


def test_system_turn_in_the_middle():
    """It is a user's text with a mark around it, behind the responses to calls."""
    system = Turn("system", (Text("be"), Text("brief")), "messages[1]")
    found, losses = contents(HI, model(call()), system, user(result("ok")))
    assert found[2]["parts"] == [
        sent_result("ok"),
        {"text": "<system-reminder>\nbe\nbrief\n</system-reminder>"},
    ]
    assert losses == ["messages[1]=weakened"]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "heic", "heif"])
def test_images(kind):
    """Those that Gemini takes go as they are."""
    found, losses = contents(user(Text("see"), Image(f"image/{kind}", DATA)))
    assert found[0]["parts"] == [{"text": "see"}, {"inlineData": {"mimeType": f"image/{kind}", "data": DATA}}]
    assert losses == []


@pytest.mark.parametrize("kind", ["image/gif", "image/bmp", ""])
def test_images_that_are_not_taken(kind):
    """They are refused with their type, at their place."""
    with pytest.raises(BadRequest, match=r"messages\[2\]: images of type .* are not taken by Gemini"):
        contents(user(Image(kind, DATA)))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://x.y/a.PNG?size=1#top", {"mimeType": "image/png", "fileUri": "https://x.y/a.PNG?size=1#top"}),
        ("https://x.y/a.jpg", {"mimeType": "image/jpeg", "fileUri": "https://x.y/a.jpg"}),
        ("https://x.y/a", {"fileUri": "https://x.y/a"}),
        ("http://[", {"fileUri": "http://["}),
        ("https://x.y/png", {"fileUri": "https://x.y/png"}),
    ],
)
def test_images_by_url(url, wanted):
    """The API fetches them; the type is told where the URL shows it."""
    assert contents(user(Image(url=url))) == ([{"role": "user", "parts": [{"fileData": wanted}]}], [])


def test_detail_of_an_image():
    """The resolution to read it at is dropped, and named."""
    found, losses = contents(user(Image("image/png", DATA, detail="low"), Image("image/png", DATA, detail="auto")))
    assert len(found[0]["parts"]) == 2
    assert losses == ["messages[2].detail=dropped"]


def test_documents():
    """A PDF goes with its title, or by its URL."""
    found, losses = contents(user(Document("application/pdf", DATA, title="t.pdf"), Document(url="https://x.y/z")))
    assert found[0]["parts"] == [
        {"inlineData": {"mimeType": "application/pdf", "data": DATA, "displayName": "t.pdf"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.y/z"}},
    ]
    assert losses == []


@pytest.mark.parametrize("block", [Image(url="https://x.y/a.png"), Document(url="https://x.y/z")])
def test_urls_that_the_user_switched_off(block):
    """A backend that fetches nothing gets no URLs."""
    ctx = context("gemini", model=NEW)
    ctx.profile = msgspec.structs.replace(ctx.profile, fetches_urls=False)
    with pytest.raises(BadRequest, match=r"messages\[2\]: the backend takes no URLs"):
        contents(user(block), ctx=ctx)


def test_tool_round():
    """Calls with their ids and arguments in the order in which they were written; the response behind them."""
    found, losses = contents(
        HI,
        model(Text("so"), call(arguments='{"b":1,"a":{"x":2.50}}')),
        user(result('{"$ref":"#/$defs/x"}'), Text("now")),
    )
    assert found[1] == {
        "role": "model",
        "parts": [{"text": "so"}, sent_call(args={"b": 1, "a": {"x": 2.5}})],
    }
    assert list(found[1]["parts"][1]["functionCall"]["args"]) == ["b", "a"]
    assert found[2] == {"role": "user", "parts": [sent_result('{"$ref":"#/$defs/x"}'), {"text": "now"}]}
    assert losses == []


def test_arguments_keep_their_bytes():
    """Numbers are sent as the model wrote them."""
    ctx = context("gemini", model=NEW)
    turns = (HI, model(call(arguments='{"n": 2.50,"e":1E3}')), user(result("x")))
    body, _ = encode_request(Request(model=NEW, turns=turns), ctx)
    assert b'"args":{"n": 2.50,"e":1E3}' in msgspec.json.encode(body)


def test_tool_round_with_an_older_model():
    """Before version 3 calls have neither ids nor placeholders for signatures."""
    found, losses = contents(HI, model(call()), user(result("ok")), model=OLD)
    assert found[1]["parts"] == [{"functionCall": {"name": "look", "args": {}}}]
    assert found[2]["parts"] == [{"functionResponse": {"name": "look", "response": {"output": "ok"}}}]
    assert losses == []


@pytest.mark.parametrize(
    ("content", "is_error", "wanted"),
    [
        ((), False, {"output": ""}),
        ((Text("a"), Text("b")), False, {"output": "a\nb"}),
        ((Text("no such file"),), True, {"error": "no such file"}),
        ((), True, {"error": ""}),
        ((Text('{"type":"object"}'),), False, {"output": '{"type":"object"}'}),
    ],
)
def test_results(content, is_error, wanted):
    """What a tool returned is one text, whatever it looks like."""
    found, _ = contents(HI, model(call()), user(ToolResult("call_1", content, is_error)))
    assert found[2]["parts"][0]["functionResponse"]["response"] == wanted


def test_results_in_the_order_of_their_calls():
    """A response for each call, in the order of the calls; the missing one says so."""
    found, losses = contents(
        HI,
        model(call("a", "1"), call("b", "2"), call("c", "3")),
        user(Text("so"), result("B", "2")),
        user(result("A", "1")),
    )
    assert found[2]["parts"] == [
        sent_result("A", "1", "a"),
        sent_result("B", "2", "b"),
        sent_result("[no result recorded]", "3", "c", "error"),
        {"text": "so"},
    ]
    assert losses == ["messages[1].tool_calls=weakened"]


def test_result_without_a_call():
    """It becomes text."""
    found, losses = contents(HI, user(result("lost", "gone")))
    assert found[0]["parts"] == [{"text": "hi"}, {"text": "[orphan tool result gone] lost"}]
    assert losses == ["messages[2]=weakened"]


def test_name_of_a_call_and_its_response():
    """Both have the name under which the tool is declared."""
    found, _ = contents(
        HI, model(call("a b")), user(result("x")), tools=(Tool("a b", {"type": "object", "properties": {}}),)
    )
    name = found[1]["parts"][0]["functionCall"]["name"]
    assert name.startswith("a_b_")
    assert found[2]["parts"][0]["functionResponse"]["name"] == name


def test_arguments_that_are_no_object():
    """They are wrapped, and named."""
    found, losses = contents(HI, model(call(arguments="[1")), user(result("x")))
    assert found[1]["parts"][0]["functionCall"]["args"] == {"_raw_arguments": "[1"}
    assert losses == ["tool call look=weakened"]


def test_arguments_of_a_wrapped_tool():
    """Calls of a tool whose schema was wrapped have the form of that schema."""
    union = Tool("look", {"anyOf": [{"type": "object"}]})
    found, _ = contents(HI, model(call(arguments='{"q":1}')), user(result("x")), tools=(union,))
    assert found[1]["parts"][0]["functionCall"]["args"] == {"value": {"q": 1}}


def test_media_in_results():
    """Since version 3 they stand in the response; before, behind all responses, which is named."""
    image, pdf = Image("image/png", DATA), Document("application/pdf", DATA)
    turns = (
        HI,
        model(call("a", "1"), call("b", "2")),
        user(ToolResult("1", (Text("see"), image)), ToolResult("2", (pdf,)), Text("go")),
    )
    made = [{"inlineData": {"mimeType": kind, "data": DATA}} for kind in ("image/png", "application/pdf")]
    found, losses = contents(*turns)
    assert found[2]["parts"] == [
        sent_result("see", "1", "a", parts=made[:1]),
        sent_result("", "2", "b", parts=made[1:]),
        {"text": "go"},
    ]
    assert losses == []
    found, losses = contents(*turns, model=OLD)
    assert found[2]["parts"] == [
        {"functionResponse": {"name": "a", "response": {"output": "see"}}},
        {"functionResponse": {"name": "b", "response": {"output": ""}}},
        *made,
        {"text": "go"},
    ]
    assert losses == ["messages[2]=weakened"]
