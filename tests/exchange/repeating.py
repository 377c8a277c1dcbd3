"""Upstreams that repeat a key in what they say of an error: where it stands, and all that anybody gets of it."""

import gzip
import json
import zlib

from .upstreams import EVENTS, JSON, Break, Silence, answer, streams
from .worlds import CHAT, MESSAGES, RESPONSES, chat, message, response

TEXT, HTML = (b"content-type", b"text/plain"), (b"content-type", b"text/html")
MEGABYTE = 1 << 20


def said(key):
    """An error whose message repeats a key as it is spelled."""
    return b'{"error":{"message":"Incorrect API key: %s. Go on.","type":"invalid_request_error"}}' % key


def bare(key):
    """What stands in plain texts and header fields."""
    return b"bad key " + key + b" given"


def one_line(key):
    """As a head can carry it."""
    return key.replace(b"\r", b"").replace(b"\n", b"")


def in_pieces(head_and_body, size):
    """A script whose body comes in several reads."""
    head, blank, body = head_and_body[0].partition(b"\r\n\r\n")
    return [head + blank, *(body[at : at + size] for at in range(0, len(body), size))]


def _chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


BEGUN = {
    "chat": (_chunk({"role": "assistant"}), _chunk({"content": "Hello"})),
    "messages": (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":'
        b'"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,'
        b'"output_tokens":1}}}\n\n',
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text",'
        b'"text":""}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":'
        b'"text_delta","text":"Hello"}}\n\n',
    ),
    "responses": (
        b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1",'
        b'"object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}\n\n',
        b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1,'
        b'"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress",'
        b'"content":[]}}\n\n',
    ),
}


def failing(spoken, key):
    """The error event of a protocol."""
    if spoken == "messages":
        return b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"bad key %s."}}\n\n' % key
    if spoken == "responses":
        return (
            b'event: error\ndata: {"type":"error","sequence_number":2,"code":"server_error","message":"bad key %s.",'
            b'"param":null}\n\nevent: response.failed\ndata: {"type":"response.failed","sequence_number":3,"response":'
            b'{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error","message":"bad %s"}}}'
            b"\n\n" % (key, key)
        )
    return b'data: {"error":{"message":"bad key %s.","type":"server_error"}}\n\n' % key


#: Name -> the script of an upstream of a protocol that repeats a key: (key as spelled, status, protocol).
PLACES = {
    "JSON": lambda key, status, _: answer(status, JSON, body=said(key)),
    "JSON in pieces": lambda key, status, _: in_pieces(answer(status, JSON, body=said(key)), 7),
    "JSON with a byte a read": lambda key, status, _: in_pieces(answer(status, JSON, body=said(key)), 1),
    "JSON over a megabyte": lambda key, status, _: in_pieces(
        answer(status, JSON, body=b'{"error":{"message":"%s' % key + b"x" * MEGABYTE + b'","key":"%s"}}' % key), 65536
    ),
    "JSON list": lambda key, status, _: answer(status, JSON, body=b"[" + said(key) + b"]"),
    "JSON without a type": lambda key, status, _: answer(status, body=said(key)),
    "JSON in chunks": lambda key, status, _: [
        b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" % status,
        *(b"%x\r\n%s\r\n" % (len(part), part) for part in _halves(said(key))),
        b"0\r\n\r\n",
    ],
    "detail": lambda key, status, _: answer(status, JSON, body=b'{"detail":[{"msg":"no","input":"%s"}]}' % key),
    "text": lambda key, status, _: answer(status, TEXT, body=bare(key)),
    "text in pieces": lambda key, status, _: in_pieces(answer(status, TEXT, body=bare(key)), 5),
    "text that is quoted in part": lambda key, status, _: answer(status, TEXT, body=b"x" * 2030 + key + b"y" * 99),
    "page": lambda key, status, _: answer(status, HTML, body=b"<html><title>%s</title>%s</html>" % (key, key)),
    "events": lambda key, status, _: answer(status, EVENTS, body=b"event: error\ndata: %s\n\n" % said(key)),
    "unknown coding": lambda key, status, _: answer(status, JSON, (b"content-encoding", b"x-rot"), body=said(key)),
    "coding's name": lambda key, status, _: answer(status, JSON, (b"content-encoding", one_line(key)), body=b"x"),
    "gzip": lambda key, status, _: answer(
        status, JSON, (b"content-encoding", b"gzip"), body=gzip.compress(said(key), mtime=0)
    ),
    "gzip, key in its head": lambda key, status, _: answer(
        status, JSON, (b"content-encoding", b"gzip"), body=_named_gzip(key.replace(b"\0", b""))
    ),
    "deflate": lambda key, status, _: answer(
        status, JSON, (b"content-encoding", b"deflate"), body=zlib.compress(said(key))
    ),
    "parts": lambda key, status, _: answer(
        status,
        (b"content-type", b"multipart/mixed; boundary=b"),
        body=b"--b\r\ncontent-type: application/json\r\n\r\n%s\r\n--b--\r\n" % said(key),
    ),
    "field": lambda key, status, _: answer(status, JSON, (b"x-echo", bare(one_line(key))), body=b'{"error":{}}'),
    "www-authenticate": lambda key, status, _: answer(
        status, JSON, (b"www-authenticate", b'Bearer error="%s"' % one_line(key)), body=b'{"error":{}}'
    ),
    "field of a good answer": lambda key, _, __: answer(
        200, JSON, (b"x-echo", bare(one_line(key))), body=b'{"object":"list","data":[]}'
    ),
    "type of a good answer": lambda key, _, __: answer(200, (b"content-type", one_line(key)), body=b"{}"),
    "reason": lambda key, status, _: [
        b"HTTP/1.1 %d Bad %s\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % (status, one_line(key))
    ],
    "redirect": lambda key, _, __: answer(302, (b"location", b"https://%s.example/x" % one_line(key))),
    "no HTTP": lambda key, _, __: [b"550 no such key " + one_line(key) + b"\r\n\r\n", Break(reset=False)],
    "bad header line": lambda key, _, __: [b"HTTP/1.1 200 OK\r\nno colon " + one_line(key) + b"\r\n\r\n"],
    "bad length": lambda key, _, __: [b"HTTP/1.1 200 OK\r\ncontent-length: " + one_line(key) + b"\r\n\r\n"],
    "bad chunk": lambda key, status, _: [
        b"HTTP/1.1 %d No\r\ntransfer-encoding: chunked\r\n\r\n" % status,
        b"zz" + one_line(key) + b"\r\n",
        Break(reset=False),
    ],
    "cut body": lambda key, status, _: [
        *answer(status, JSON, (b"content-length", b"9999"), body=said(key), length=False),
        Break(reset=False),
    ],
    "error in a 200": lambda key, _, spoken: answer(
        200, JSON, body=said(key) if spoken != "messages" else b'{"type":"error",' + said(key)[1:]
    ),
    "first event": lambda key, _, spoken: streams(failing(spoken, key)),
    "first event that no protocol knows": lambda key, _, __: streams(b"event: error\ndata: %s\n\n" % bare(key)),
    "first event that is quoted in part": lambda key, _, __: streams(
        b"event: error\ndata: %s\n\n" % (b"x " * 1017 + one_line(key) + b" y" * 99)
    ),
    "late event": lambda key, _, spoken: streams(*BEGUN[spoken], failing(spoken, key)),
    "late event in one read": lambda key, _, spoken: streams(b"".join((*BEGUN[spoken], failing(spoken, key)))),
    "late event in pieces": lambda key, _, spoken: streams(
        *BEGUN[spoken], *_halves(failing(spoken, key)), Silence(1), b": x\n\n"
    ),
    "late event before much": lambda key, _, spoken: streams(
        *BEGUN[spoken], failing(spoken, key) + b": %s\n\n" % (b"x" * 20_000)
    ),
    "events after the error": lambda key, _, spoken: streams(
        *BEGUN[spoken], failing(spoken, b"x"), b"data: {}\n\n: %s\n\n" % one_line(key), failing(spoken, key)
    ),
    "late event without an end": lambda key, _, spoken: streams(*BEGUN[spoken], failing(spoken, key)[:-2]),
}
#: Those whose key must be spelled so that a token of HTTP, a host or a number can hold it.
NARROW = frozenset(("redirect",))


def _halves(data):
    return data[: len(data) // 2], data[len(data) // 2 :]


def _named_gzip(name):
    """Gzip with a file's name in its head (RFC 1952)."""
    whole = gzip.compress(b'{"error":{"message":"no"}}', mtime=0)
    return whole[:3] + b"\x08" + whole[4:10] + name + b"\0" + whole[10:]


#: Name -> path, body, the protocol that the backend is asked in.
CALLS = {
    "chat": (CHAT, chat(), "chat"),
    "chat stream": (CHAT, chat(stream=True), "chat"),
    "messages": (MESSAGES, message(), "messages"),
    "messages stream": (MESSAGES, message(stream=True), "messages"),
    "responses": (RESPONSES, response(), "responses"),
    "responses stream": (RESPONSES, response(stream=True), "responses"),
    "messages to chat": (MESSAGES, message(), "chat"),
    "messages to chat stream": (MESSAGES, message(stream=True), "chat"),
    "chat to messages": (CHAT, chat(), "messages"),
    "chat to messages stream": (CHAT, chat(stream=True), "messages"),
    "responses to chat stream": (RESPONSES, response(stream=True), "chat"),
    "chat to responses": (CHAT, chat(), "responses"),
    "chat to responses stream": (CHAT, chat(stream=True), "responses"),
    "messages to responses stream": (MESSAGES, message(stream=True), "responses"),
    "moderations": ("/v1/moderations", {"model": "box:m", "input": "hi"}, "chat"),
    "audio": ("/v1/audio/speech", {"model": "box:m", "input": "hi", "stream": True}, "chat"),
    "embeddings": ("/v1/embeddings", {"model": "box:m", "input": "hi"}, "chat"),
    "completions": ("/v1/completions", {"model": "box:m", "prompt": "hi", "stream": True}, "chat"),
    "count": ("/v1/messages/count_tokens", message(), "messages"),
}


def readings(played):
    """All that the client got, and what is kept of the request for the log and the history."""
    record = played.record
    kept = (record.text, record.losses, *record.notes, *(text for one in record.tries for text in (one.text, one.note)))
    head = [part for line in played.head for part in line]
    return [played.got, played.reason, *head, *(text.encode() for text in kept)]
