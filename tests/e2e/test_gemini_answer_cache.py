"""The cache of answers for callers of Google's API: in each form, relayed and translated."""

import json

import pytest

from .caching import ON, PRICES, said, state
from .granted import configured
from .processes import Threaded, backend, until
from .samples import MESSAGES
from .traffic import events_of
from .upstream import plain, stream
from .wire import ask

COUNTS = {"input_tokens": 10, "output_tokens": 5}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "model-a",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": COUNTS,
}
FORMS = {"whole": "generateContent", "events": "streamGenerateContent?alt=sse", "array": "streamGenerateContent"}
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
CONFIG = {"temperature": 0}


def chunk_of(text, **more):
    """One answer of Google's, or one chunk of a stream."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
    return json.dumps({"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "model-a"}).encode()


def body(text="hi", **fields):
    """A request."""
    said = [{"role": "user", "parts": [{"text": text}]}]
    return json.dumps({"contents": said, "generationConfig": CONFIG, **fields}).encode()


def script(spoken, form, *, finish="STOP"):
    """What an upstream answers."""
    if spoken == "gemini":
        if form == "whole":
            return plain(chunk_of("Hello", finishReason=finish))
        chunks = (chunk_of("Hel"), chunk_of("lo", finishReason=finish))
        return stream([b"data: " + one + b"\r\n\r\n" for one in chunks])
    return plain(json.dumps(MESSAGE).encode()) if form == "whole" else stream(events_of(MESSAGES, COUNTS))


@pytest.fixture(params=["gemini", "messages"])
def proxy(request, tmp_path, up):
    """A proxy that keeps answers, before an upstream of one protocol; with the name of that."""
    spoken = request.param
    configured(tmp_path, ON + PRICES)
    root = up.root.removesuffix("/v1") + "/v1beta" if spoken == "gemini" else up.root
    with Threaded(
        tmp_path, backends=[backend("box", root, protocols=[spoken])], default_backend="box", history=True
    ) as one:
        assert until(lambda: not one.serving.runtime.catalogs.loading)
        one.spoken = spoken
        yield one


def path_of(form):
    return f"/v1beta/models/model-a:{FORMS[form]}"


@pytest.mark.parametrize("form", FORMS)
def test_every_byte_again(proxy, up, form):
    """The second request gets the bytes of the first one's answer, whoever's client sent it and with what key; the
    other forms, and another text, are other answers."""
    up.default = [script(proxy.spoken, form)]
    clients = ((b"x-goog-api-client", b"one/1"), (b"x-goog-api-client", b"two/2"))
    found = [ask(proxy.port, path_of(form), body(), client) for client in clients]
    assert [(one.status, state(one)) for one in found] == [(200, "miss"), (200, "hit")]
    assert found[0].body == found[1].body
    assert found[0].field(b"content-type") == found[1].field(b"content-type")
    assert "saved-usd=0.015" in said(found[1])
    assert len(up.seen) == 1
    assert state(ask(proxy.port, path_of(form), body("other"))) == "miss"
    other = "events" if form == "whole" else "whole"
    up.default = [script(proxy.spoken, other)]
    assert state(ask(proxy.port, path_of(other), body())) == "miss"


@pytest.mark.parametrize("proxy", ["gemini"], indirect=True)
@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_was_cut_by_its_limit(proxy, up, form):
    """It is asked for again."""
    up.default = [script("gemini", form, finish="MAX_TOKENS")]
    assert [state(ask(proxy.port, path_of(form), body())) for _ in range(2)] == ["miss", "miss"]


@pytest.mark.parametrize("proxy", ["gemini"], indirect=True)
@pytest.mark.parametrize("fields", [{"generationConfig": {"temperature": 1}}, {"tools": [{"googleSearch": {}}]}])
def test_what_is_not_kept(proxy, up, fields):
    """The cache is not asked."""
    up.default = [script("gemini", "whole")]
    assert [state(ask(proxy.port, path_of("whole"), body(**fields))) for _ in range(2)] == ["", ""]


def test_counts(proxy, up):
    """A count is kept whatever the temperature."""
    up.default = [plain(b'{"totalTokens": 7}' if proxy.spoken == "gemini" else b'{"input_tokens": 7}')]
    path = "/v1beta/models/model-a:countTokens"
    found = [ask(proxy.port, path, json.dumps({"contents": json.loads(body())["contents"]}).encode()) for _ in range(2)]
    assert [state(one) for one in found] == ["miss", "hit"]
    assert found[1].json() == {"totalTokens": 7}


TEXT = {"parts": [{"text": "hi"}]}
PICTURE = {"parts": [{"fileData": {"fileUri": "https://x.example/a.png", "mimeType": "image/png"}}]}


@pytest.mark.parametrize(
    ("verb", "asked", "other", "whole"),
    [
        (
            "embedContent",
            {"content": TEXT},
            {"content": TEXT, "outputDimensionality": 8},
            {"embedding": {"values": [1]}},
        ),
        (
            "batchEmbedContents",
            {"requests": [{"model": "models/model-a", "content": TEXT}]},
            {"requests": [{"model": "models/model-a", "content": TEXT}] * 2},
            {"embeddings": [{"values": [1]}]},
        ),
    ],
)
def test_embeddings(tmp_path, up, verb, asked, other, whole):
    """They are kept in both forms; other ones, those of what lies elsewhere, and an answer without any are not given
    again."""
    configured(tmp_path, ON)
    root = up.root.removesuffix("/v1") + "/v1beta"
    entry = backend("box", root, protocols=["gemini"])
    path = f"/v1beta/models/model-a:{verb}"
    up.default = [plain(json.dumps(whole).encode())]
    with Threaded(tmp_path, backends=[entry], default_backend="box") as one:
        assert until(lambda: not one.serving.runtime.catalogs.loading)
        found = [ask(one.port, path, json.dumps(body).encode()) for body in (asked, asked, other)]
        assert [state(answer) for answer in found] == ["miss", "hit", "miss"]
        assert found[0].body == found[1].body
        picture = json.dumps(asked).replace(json.dumps(TEXT), json.dumps(PICTURE)).encode()
        assert [state(ask(one.port, path, picture)) for _ in range(2)] == ["", ""]
        up.default = [plain(b"{}")]
        empty = json.dumps({**asked, "title": "x"}).encode()
        assert [state(ask(one.port, path, empty)) for _ in range(2)] == ["miss", "miss"]
