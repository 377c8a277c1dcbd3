"""Upstreams of several vendors that keep every byte they get, and requests with a secret wherever one can be carried.

A secret is `cnry.LABEL.NUMBER.`: its label says whose it is, so that whatever was sent or written anywhere can be
searched for all of them at once. Labels hold letters and digits only, and none looks like a key of a known kind.
"""

import json
import re
from typing import NamedTuple

import trio

from .flock import ANSWER
from .processes import backend
from .samples import CHAT, EMBEDDINGS, MESSAGES, PROTOCOLS, RESPONSES

_SECRET = re.compile(rb"cnry\.([a-z0-9]+)\.")
STREAMS = {protocol.path: b"".join(protocol.events) for protocol in PROTOCOLS}
_CHUNK = b'{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP","index":0}]}'
#: What paths that end in a verb are answered with.
VERBS = {
    "generateContent": _CHUNK,
    "streamGenerateContent": b"data: " + _CHUNK + b"\r\n\r\n",
    "rawPredict": MESSAGES.whole,
    "streamRawPredict": STREAMS[MESSAGES.path],
}
#: How an upstream answers: `drop` hangs up, `error` is one inside a 200, `cut` ends in the middle of an answer, and
#: `redirect` points to another vendor. What fails with a status repeats all that it was sent, as some gateways do.
MODES = ("good", "401", "429", "500", "drop", "error", "cut", "redirect")


def secret(label, number=0):
    """A secret of this label."""
    return f"cnry.{label}.{number:06d}.end"


class Kind(NamedTuple):
    """One kind of backend."""

    name: str
    vendor: str
    protocols: tuple
    auth: str

    @property
    def key(self):
        """The key of its own, '' for none."""
        return secret(f"key{self.name}") if self.auth == "key" else ""


def _kinds():
    found = []
    for vendor, *protocols in (
        ("anthropic", "messages"),
        ("openai", "chat", "responses"),
        ("groq", "chat"),
        ("openrouter", "messages", "chat", "responses"),
        ("gemini", "chat", "gemini"),
        ("alibaba", "chat"),
        ("vertex", "messages", "chat", "responses"),
        ("bedrock", "messages", "chat", "responses"),
        ("bedrock-invoke", "messages"),
        ("azure", "chat", "responses"),
        ("foundry", "messages", "chat", "responses"),
        ("cloudflare", "messages", "chat", "responses"),
        ("", "messages"),
        ("", "responses"),
        ("", "gemini"),
    ):
        stem = vendor.replace("-", "") or f"own{protocols[0]}"
        found += [Kind(f"{stem}{auth}", vendor, tuple(protocols), auth) for auth in ("key", "client")]
    return (*found, Kind("bare", "", ("messages", "chat", "responses"), "none"))


KINDS = _kinds()

#: Header -> the vendors that it is meant for, '' for nobody. The caller's own two credentials are apart.
CARRIERS = {
    "api-key": "",
    "x-goog-api-key": "",
    "cookie": "",
    "proxy-authorization": "",
    "x-fairlead-note": "",
    "x-forwarded-authorization": "",
    "sec-websocket-protocol": "",
    "x-openai-api-key": "",
    "x-litellm-api-key": "",
    "x-portkey-api-key": "",
    "ocp-apim-subscription-key": "",
    "helicone-auth": "",
    "cf-aig-authorization": "cloudflare",
    "cf-access-client-secret": "",
    "x-auth-token": "",
    "x-amz-security-token": "",
    "x-amz-content-sha256": "bedrock bedrock-invoke",
    "x-amzn-trace-id": "bedrock bedrock-invoke",
    "x-ms-client-request-id": "azure foundry",
    "x-vertex-ai-llm-request-type": "gemini vertex",
    "x-gemini-api-privileged-user-id": "",
    "x_api_key": "",
    "openai-organization": "openai",
    "openai-project": "openai",
    "chatgpt-account-id": "openai",
    "anthropic-organization-id": "anthropic",
    "anthropic-workspace-id": "anthropic",
    "anthropic-user-profile-id": "anthropic",
    "x-goog-user-project": "gemini vertex",
    "x-dashscope-workspace": "alibaba",
}
QUERY_NAMES = ("key", "api_key", "api-key", "apikey", "access_token", "token")

#: What the caller puts where: fairlead's own key, the operator's token, or a credential of its own. required: fairlead
#: asks for its key.
PLACES = {
    "own credentials": (False, {"authorization": "mine", "x-api-key": "mine"}),
    "a key nobody asks for": (False, {"authorization": "mine", "x-api-key": "ours"}),
    "the operator's token": (False, {"authorization": "operator", "x-api-key": "mine"}),
    "a header of fairlead's": (True, {"x-fairlead-key": "ours", "authorization": "mine", "x-api-key": "mine"}),
    "authorization": (True, {"authorization": "ours", "x-api-key": "mine"}),
    "x-api-key": (True, {"x-api-key": "ours", "authorization": "mine"}),
    "everywhere": (True, {"x-fairlead-key": "ours", "authorization": "ours", "x-api-key": "ours"}),
    "the operator's too": (True, {"x-fairlead-key": "ours", "authorization": "operator", "x-api-key": "mine"}),
}

_BOUNDARY = "b0undary"
_UPLOAD = "".join(
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{{{name}}}\r\n'
    for name, more in (("model", ""), ("file", '; filename="a.wav"'))
)


GEMINI = "/v1beta/models/{model}:generateContent"
GEMINI_STREAM = "/v1beta/models/{model}:streamGenerateContent"


class Call(NamedTuple):
    """One kind of request. path: with {model} where that stands in it. body(model): its bytes."""

    name: str
    path: str
    body: object
    kind: str = "application/json"


def _upload(model):
    return (_UPLOAD.replace("{model}", model).replace("{file}", "RIFF") + f"--{_BOUNDARY}--\r\n").encode()


_TURN = {
    MESSAGES.path: {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    CHAT.path: {"messages": [{"role": "user", "content": "hi"}]},
    RESPONSES.path: {"input": "hi"},
    EMBEDDINGS.path: {"input": "hi"},
}


_CONTENTS = json.dumps(
    {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "password": secret("body")}, separators=(",", ":")
).encode()


def _said(protocol, *, stream=False):
    asks = {"stream": True} if stream else {}
    more = {**asks, "password": secret("body"), **_TURN[protocol.path]}
    return lambda model: json.dumps({"model": model, **more}, separators=(",", ":")).encode()


def label(name):
    """The label of the secret in a header or parameter."""
    return "".join(char for char in name if char.isalnum())


CALLS = (
    *(
        Call(f"{one.name}{' stream' if stream else ''}", one.path, _said(one, stream=stream))
        for one in (MESSAGES, CHAT, RESPONSES)
        for stream in (False, True)
    ),
    Call("count_tokens", "/v1/messages/count_tokens", _said(MESSAGES)),
    Call("gemini", GEMINI, lambda model: _CONTENTS),
    Call("gemini stream", GEMINI_STREAM, lambda model: _CONTENTS),
    Call("embeddings", EMBEDDINGS.path, _said(EMBEDDINGS)),
    Call("upload", "/v1/audio/transcriptions", _upload, f"multipart/form-data; boundary={_BOUNDARY}"),
)


def found_in(data):
    """The labels of the secrets in some bytes."""
    return {label.decode() for label in _SECRET.findall(data)}


class Vendor:
    """One backend's upstream. received: every byte it got since that was emptied. mode: one of MODES. elsewhere: where
    a redirect points to."""

    def __init__(self, kind):
        self.kind = kind
        self.mode = "good"
        self.elsewhere = ""
        self.received = bytearray()
        self.port = 0

    def entry(self):
        """Its backend file."""
        kind = self.kind
        root = f"http://127.0.0.1:{self.port}/v1"
        return backend(kind.name, root, protocols=kind.protocols, vendor=kind.vendor, auth=kind.auth, key=kind.key)

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        await trio.serve_listeners(self._connection, listeners, task_status=task_status)

    async def _connection(self, stream):
        rest = b""
        try:
            while True:
                head, body, rest = await self._request(stream, rest)
                line = head.split(b"\r\n", 1)[0]
                if line.startswith(b"GET"):
                    # The list of its models, which the proxy reads when it likes.
                    await stream.send_all(_plain(b"200 OK", b'{"object":"list","data":[]}'))
                    continue
                if self.mode == "drop":
                    return
                answer = self._answer(line, head, body)
                await stream.send_all(answer if self.mode != "cut" else answer[:-9])
                if self.mode == "cut":
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
            return
        finally:
            await trio.aclose_forcefully(stream)

    async def _request(self, stream, rest):
        while b"\r\n\r\n" not in rest:
            rest += await self._more(stream)
        head, _, rest = rest.partition(b"\r\n\r\n")
        lowered = head.lower()
        if b"transfer-encoding" in lowered:
            while not rest.endswith(b"0\r\n\r\n"):
                rest += await self._more(stream)
            return head, rest, b""
        length = re.search(rb"content-length: (\d+)", lowered)
        size = int(length[1]) if length else 0
        while len(rest) < size:
            rest += await self._more(stream)
        return head, rest[:size], rest[size:]

    async def _more(self, stream):
        data = await stream.receive_some(65536)
        if not data:
            raise EOFError
        self.received += data
        return data

    def _answer(self, line, head, body):
        if self.mode == "redirect":
            return _plain(b"307 Temporary Redirect", b"{}", b"location: %b\r\n" % self.elsewhere.encode())
        if self.mode == "error":
            return _plain(b"200 OK", b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')
        if self.mode.isdigit():
            said = {"type": "invalid", "message": f"no: {head.decode('latin-1')}", "code": "no"}
            told = json.dumps({"type": "error", "error": said}).encode()
            more = b"retry-after: 3600\r\n" if self.mode == "429" else b""
            return _plain(self.mode.encode() + b" No", told, more)
        path = line.split()[1].partition(b"?")[0].decode()
        verb = path.rpartition(":")[2]
        if verb in VERBS:
            return _plain(b"200 OK", VERBS[verb], kind=b"text/event-stream" if "tream" in verb else b"application/json")
        if path in STREAMS and b'"stream":true' in body:
            return _plain(b"200 OK", STREAMS[path], kind=b"text/event-stream")
        if path.endswith("count_tokens"):
            return _plain(b"200 OK", b'{"input_tokens":3}')
        known = ANSWER.get(path, {"object": "list", "data": [], "model": "m", "text": "hi", "usage": {}})
        return _plain(b"200 OK", json.dumps(known).encode())


def _plain(status, body, more=b"", kind=b"application/json"):
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\n%bcontent-length: %d\r\n\r\n" % (status, kind, more, len(body))
    return head + body
