"""The ids that an answer issues, and those that a request names."""

import json

import pytest

from router.wire import resource_ids
from router.wire.calls import call
from router.wire.raw.json.top_level import peek

from ..growth import grows_evenly


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/responses/resp_x", ["resp_x"]),
        ("/v1/responses/resp%5Fx/input_items", ["resp_x"]),
        ("/v1/responses/input_tokens", []),
        ("/v1/files", []),
        ("/v1/files/", []),
        ("/v1/files/file-x/content", ["file-x"]),
        ("/v1/conversations/conv_1/items/msg_2", ["conv_1", "msg_2"]),
        ("/v1/fine_tuning/jobs/ftjob-1/events", ["ftjob-1"]),
        ("/v1/containers/cntr_1/files/cfile_2/content", ["cntr_1", "cfile_2"]),
        ("/v1/messages/batches/msgbatch_1/results", ["msgbatch_1"]),
        ("/v1/messages/count_tokens", []),
        ("/v1/chat/completions/chatcmpl-1", ["chatcmpl-1"]),
        ("/v1/audio/transcriptions", []),
        ("/v1/models/gpt", []),
        ("/v1/files/" + "x" * 257, []),
        ("/v1/files/a%20b", []),
        ("/v1/files/%C3%BC", []),
        ("/v1/files/%0a", []),
        ("/v1/threads" + "/x1" * 50, ["x1"] * 3),
    ],
)
def test_in_path(path, found):
    """Ids are read from path segments, decoded; words, other collections and segments that are not ids are left out."""
    assert resource_ids.in_path(path) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"previous_response_id": "resp_1", "conversation": "conv_1"}, ["resp_1", "conv_1"]),
        ({"conversation": {"id": "conv_1"}}, ["conv_1"]),
        ({"input_file_id": "file-1", "training_file": "file-2"}, ["file-1", "file-2"]),
        ({"file_ids": ["f1", "f2", 3, None, ["f4"]]}, ["f1", "f2"]),
        ({"previous_response_id": None, "conversation": 7, "container": {"id": {"id": "deep"}}}, ["deep"]),
        ({"previous_response_id": "x" * 257, "file_id": "a b"}, []),
        ({"file_ids": [f"f{n}" for n in range(100)]}, [f"f{n}" for n in range(8)]),
        ({"id": "resp_1", "model": "m", "user": "file-1"}, []),
    ],
)
def test_in_top(body, found):
    """Ids at the top level are read in the order of their precedence, at most eight."""
    assert resource_ids.in_top(peek(json.dumps(body).encode())) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"content": [{"type": "input_file", "file_id": "file-1"}]}, ["file-1"]),
        ({"file": {"file_id": "file-1"}, "x": {"input_file_id": "f2"}}, ["file-1", "f2"]),
        (
            {"tools": [{"vector_store_ids": ["vs_1", "vs_2"]}, {"container": {"file_ids": ["f3"]}}]},
            ["vs_1", "vs_2", "f3"],
        ),
        ({"text": 'say "file_id": "file-1" and \\"file_id\\":\\"f\\"'}, []),
        ({"properties": {"file_id": {"type": "string"}}, "required": ["file_id"]}, []),
        ({"file_id": "x" * 257}, []),
        ({"container": "cntr_1", "container_id": "cntr_2"}, ["cntr_1", "cntr_2"]),
        ([{"file_id": f"f{n}"} for n in range(100)], [f"f{n}" for n in range(8)]),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_in_depth(value, found, separators):
    """Ids are found under their keys anywhere in the body; a text that quotes them does not count."""
    assert resource_ids.in_depth(json.dumps({"input": value}, separators=separators).encode()) == found


@pytest.mark.parametrize(
    ("method", "path", "body", "issues"),
    [
        ("POST", "/v1/responses", b'{"model":"m"}', True),
        ("POST", "/v1/responses", b'{"store":true}', True),
        ("POST", "/v1/responses", b'{"store": false}', False),
        ("POST", "/v1/messages", b'{"model":"m"}', False),
        ("POST", "/v1/chat/completions", b'{"store":true}', False),
        ("POST", "/v1/embeddings", b"{}", False),
        ("POST", "/v1/messages/count_tokens", b"{}", False),
        ("POST", "/v1/messages/batches", b"{}", True),
        ("POST", "/v1/files", None, True),
        ("POST", "/v1/audio/transcriptions", None, False),
        ("POST", "/v1/moderations", b"{}", False),
        ("GET", "/v1/files/file-1", None, False),
        ("GET", "/v1/batches/batch_1", None, True),
        ("GET", "/v1/messages/batches/b/results", None, False),
        ("DELETE", "/v1/responses/resp_1", None, False),
    ],
)
def test_issues(method, path, body, issues):
    """Only calls that create objects issue ids; batches also when they are read."""
    top = None if body is None else peek(body)
    assert resource_ids.issues(call(path), method, top) is issues


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b'{"id":"file-1","object":"file"}', [("file-1", "")]),
        (b'{"object":"file","nested":{"id":"no"},"id":"file-\\u0031"}', [("file-1", "")]),
        (b'{"id":"b","output_file_id":"o","error_file_id":null}', [("b", ""), ("o", "files")]),
        (b'{"id":"u","file":{"id":"f"}}', [("u", ""), ("f", "files")]),
        (b'{"id":7}', []),
        (b'{"id":""}', []),
        (b'{"id":"a b"}', []),
        (b'{"id":"' + b"x" * 257 + b'"}', []),
        (b"[1]", []),
        (b"", []),
        (b'{"id":"x"', []),
        (b'{"id":"\xff"}', []),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", []),
    ],
)
def test_issued(answer, found):
    """An answer issues its id and those of its files; any other body issues none and raises nothing."""
    assert resource_ids.issued(answer) == found


def test_issued_first():
    """The id that an answer begins with is read before the rest has arrived."""
    assert resource_ids.issued_first(b' {\n "id" : "resp_1", "object"') == [("resp_1", "")]
    assert resource_ids.issued_first(b'{"object":"response","id":"resp_1"') == []
    assert resource_ids.issued_first(b'{"id":"resp_') == []


@pytest.mark.parametrize(
    "part",
    [
        b'"file_ids":[',
        b'"file_ids":["a",',
        b'"file_id":"',
        b'"file_id": ',
        b'"container"   ',
        b'"vector_store_ids":[ ',
        b"\\",
    ],
)
def test_the_search_in_depth_grows_with_the_body(part):
    """However ids are begun and not ended."""

    def make(size):
        return b'{"input":[' + part * (size // len(part))

    grows_evenly(make, resource_ids.in_depth, 128 << 10)


@pytest.mark.parametrize("at", range(resource_ids._WINDOW - 40, resource_ids._WINDOW + 3))
def test_an_id_is_found_wherever_the_search_goes_on(at):
    """The body is searched in pieces; what lies across two of them is found, and once."""
    body = b" " * at + b'{"file_ids": ["file-1", "file-2"]}' + b" " * resource_ids._WINDOW + b'{"file_id":"file-3"}'
    assert resource_ids.in_depth(body) == ["file-1", "file-2", "file-3"]
