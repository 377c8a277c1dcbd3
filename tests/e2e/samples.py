"""Requests and answers of the three protocols, with spellings no encoder of ours would choose."""

import json
from typing import NamedTuple

from .wire import events


class Protocol(NamedTuple):
    """One protocol. turn: the members beside model and stream. whole: a plain answer. events: a stream's, to its end.
    begun: how many of them make a stream that a client has seen something of."""

    name: str
    path: str
    turn: bytes
    whole: bytes
    events: tuple
    begun: int

    def body(self, model="model-a", *, stream=False, extra=b""):
        """A request body; extra: members to put in front, each with its comma."""
        asks = b'"stream":true,' if stream else b""
        return b'{%b"model":"%b",%b%b}' % (extra, model.encode(), asks, self.turn)


def _frames(*payloads):
    return tuple(_frame(payload) for payload in payloads)


def _frame(payload):
    return b"event: %b\ndata: %b\n\n" % (json.loads(payload)["type"].encode(), payload)


MESSAGES = Protocol(
    "messages",
    "/v1/messages",
    b'"max_tokens": 64,"messages":[{"role":"user","content":[{"type":"future_block","x":1.0e2},{"type":"text",'
    b'"text":"Caf\\u00e9 \xc3\xa9 \xe2\x80\xa8"}]}],"unknown":{"b":1,"a":[1.0,-0.0,null]},"unknown":2',
    b'{"id":"msg_1","type":"message","role":"assistant","model":"model-a" ,"content":[{"type":"text","text":'
    b'"H\\u0069"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1},"future":[1.0]}\n',
    (
        *_frames(
            b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"model-a",'
            b'"content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}',
            b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
            b'{"type": "ping"}',
            b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"H\xe2\x80\xa8"},"new":1.0}',
            b'{"type":"future_event","payload":{"type":"not message_stop"}}',
        ),
        b": a comment\n\n",
        *_frames(
            b'{"type":"content_block_stop","index":0}',
            b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
            b'{"type":"message_stop"}',
        ),
    ),
    4,
)

_CHUNK = b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"model-a","choices":[%b]%b}\n\n'
CHAT_USAGE = _CHUNK % (b"", b',"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}')
_NO_USAGE = b',"usage":null'

CHAT = Protocol(
    "chat",
    "/v1/chat/completions",
    b'"messages":[{"role":"user","content":"Caf\\u00e9 \xc3\xa9 \xe2\x80\xa8"}],"unknown":{"b":1,"a":[1.0,-0.0]},'
    b'"n": 1',
    b'{"id":"c1","object":"chat.completion","created":1,"model":"model-a","choices":[{"index":0,"message":{"role":'
    b'"assistant","content":"H\\u0069"},"finish_reason":"stop"}] ,"usage":{"prompt_tokens":3,"completion_tokens":1,'
    b'"total_tokens":4},"x_future":1.0}',
    (
        _CHUNK % (b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}', _NO_USAGE),
        b": a comment\n\n",
        _CHUNK % (b'{"index":0,"delta":{"content":"H\xe2\x80\xa8"},"finish_reason":null}', _NO_USAGE),
        _CHUNK % (b'{"index":0,"delta":{"content":"i"},"logprobs":null,"finish_reason":null}', _NO_USAGE),
        _CHUNK % (b'{"index":0,"delta":{},"finish_reason":"stop"}', _NO_USAGE),
        b"data: [DONE]\n\n",
    ),
    3,
)

_RESPONSE = (
    b'"response":{"id":"resp_1","object":"response","created_at":7,"status":"%b","model":"model-a","output":[]%b}'
)

RESPONSES = Protocol(
    "responses",
    "/v1/responses",
    b'"input":[{"type":"future_item","x":1.0},{"role":"user","content":"Caf\\u00e9 \xe2\x80\xa8"}],"store": false',
    b'{"id":"resp_1","object":"response","created_at":7,"status":"completed","error":null,"model":"model-a","output":[],'
    b'"usage":{"input_tokens":3,"output_tokens":1,"total_tokens":4},"future":[1.0]}',
    _frames(
        b'{"type":"response.created","sequence_number":0,%b}' % (_RESPONSE % (b"in_progress", b"")),
        b'{"type":"response.in_progress","sequence_number":1,%b}' % (_RESPONSE % (b"in_progress", b"")),
        b'{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"m","type":"message",'
        b'"role":"assistant","status":"in_progress","content":[]}}',
        b'{"type":"response.output_text.delta","sequence_number":3,"item_id":"m","output_index":0,"content_index":0,'
        b'"delta":"H\xe2\x80\xa8","new":1.0}',
        b'{"type":"response.future","sequence_number":4}',
        b'{"type":"response.completed","sequence_number":5,%b}'
        % (_RESPONSE % (b"completed", b',"usage":{"input_tokens":3,"output_tokens":1,"total_tokens":4}')),
    ),
    4,
)

PROTOCOLS = (MESSAGES, CHAT, RESPONSES)

EMBEDDINGS = Protocol(
    "embeddings",
    "/v1/embeddings",
    b'"input":["Caf\\u00e9"],"unknown": 1.0',
    b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,1.0]}],"model":"model-a","usage":{}}',
    (),
    0,
)


def error_of(protocol, answer):
    """The message of an error answer, which must be in the protocol's own shape and carry a request id."""
    assert answer.field(b"content-type").startswith(b"application/json"), answer
    data = answer.json()
    assert answer.field(b"x-fairlead-request-id"), answer.lines
    if protocol.name == "messages":
        assert data["type"] == "error", data
        assert isinstance(data["error"]["type"], str), data
    else:
        assert set(data) == {"error"}, data
        assert set(data["error"]) >= {"message", "type", "param", "code"}, data
    return data["error"]["message"]


def stream_error_of(protocol, answer):
    """The message of a stream that ended with the protocol's error event: no clean end, and nothing like one."""
    assert answer.status == 200
    assert not answer.whole, "the stream has a clean end"
    # On a busy machine a stream is silent for long enough to be pinged.
    found = [(name, data) for name, data in events(answer.body) if name != "keepalive"]
    kinds = [json.loads(data).get("type") for _, data in found if data != b"[DONE]"]
    if protocol.name == "messages":
        assert kinds.count("error") == 1
        assert "message_stop" not in kinds
        assert found[-1][0] == "error"
        return json.loads(found[-1][1])["error"]["message"]
    if protocol.name == "chat":
        assert b"[DONE]" not in answer.body
        assert not any(choice.get("finish_reason") for choice in json.loads(found[-1][1]).get("choices", []))
        return json.loads(found[-1][1])["error"]["message"]
    assert kinds[-2:] == ["error", "response.failed"]
    assert [name for name, _ in found[-2:]] == ["error", "response.failed"]
    fault, failed = (json.loads(data) for _, data in found[-2:])
    numbers = [json.loads(data)["sequence_number"] for _, data in found]
    assert numbers == list(range(len(numbers))), numbers
    assert failed["response"]["id"] == "resp_1"
    assert failed["response"]["status"] == "failed"
    assert fault["error"]["message"] == fault["message"] == failed["response"]["error"]["message"]
    return fault["message"]


def refused(protocol, answer, status, *words):
    """Check an error answer of fairlead's own: status, shape, and words of its text."""
    message = error_of(protocol, answer)
    assert answer.status == status, message
    for word in words:
        assert word in message, message
