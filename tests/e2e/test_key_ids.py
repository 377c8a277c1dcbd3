"""Ids of answers, their parts and files: they are there for the client key that made them alone."""

import json

import pytest

from .granted import WHOLE, Granted, add
from .processes import backend
from .upstream import plain, stream


def test_ids_belong_to_the_key_that_made_them(tmp_path, up):
    """A response, also one that fairlead stores itself, and a file are not there for another key, nor for callers
    without one; also after a restart. A ninth id in a body is looked at too."""
    first, second = add(tmp_path, "first", paths="all"), add(tmp_path, "second", paths="all")
    up.default = (plain(json.dumps({"id": "resp_1", "object": "response", "output": []}).encode()),)
    turn = {"model": "model-a", "input": "hi", "store": True}
    for start in range(2):
        with Granted(tmp_path, up) as one:
            if not start:
                assert one.ask(first, "/v1/responses", json.dumps(turn).encode()).status == 200
                up.default = (plain(b'{"id":"file-1","object":"file"}'),)
                upload = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--x--\r\n'
                kind = (b"Content-Type", b"multipart/form-data; boundary=x")
                assert one.ask(first, "/v1/files", upload, kind).status == 200
                up.default = (plain(b'{"id":"resp_2","object":"response","output":[]}'),)
            for key, status in ((second, 404), (None, 404), (first, 200)):
                asked = [
                    one.ask(key, "/v1/responses/resp_1").status,
                    one.ask(key, "/v1/files/file-1").status,
                    one.ask(
                        key, "/v1/responses", json.dumps({**turn, "previous_response_id": "resp_1"}).encode()
                    ).status,
                ]
                assert asked == [status] * 3, (start, key)
            many = [{"type": "input_file", "file_id": name} for name in ["file-1"] * 9]
            inner = {**turn, "input": [{"role": "user", "content": many}]}
            assert one.ask(second, "/v1/responses", json.dumps(inner).encode()).status == 404


ITEMS = [
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
]


def answer_with_items(kind):
    """An answer of Responses that issues ITEMS: whole, as a stream, or when it is fetched later."""
    whole = {"id": "resp_1", "object": "response", "status": "completed", "output": ITEMS}
    if kind != "stream":
        return plain(json.dumps(whole).encode())
    begun = {"type": "response.created", "response": {"id": "resp_1", "object": "response", "output": []}}
    events = [begun, {"type": "response.completed", "response": whole}]
    return stream([f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events])


@pytest.mark.parametrize("kind", ["whole", "stream", "later"])
def test_parts_of_an_answer_belong_to_its_key(tmp_path, up, kind):
    """A part that a request names by its id alone is there for the key whose answer it was in, also right after that
    answer; not for another key, nor for callers without one, however it is named. What is sent whole is looked up by
    nobody. Parts of answers to callers without a key are not there for keys with names."""
    first, second = add(tmp_path, "first"), add(tmp_path, "second")
    up.default = (plain(b'{"id":"resp_9","object":"response","output":[]}'),)
    turn = {"model": "model-a", "input": "hi", "stream": kind == "stream"}
    with Granted(tmp_path, up, backends=[backend("box", up.root, protocols=("responses",))]) as one:
        if kind == "later":
            up.script(plain(b'{"id":"resp_1","object":"response","status":"queued","output":[]}'))
            assert one.ask(first, "/v1/responses", json.dumps({**turn, "background": True}).encode()).status == 200
        up.script(answer_with_items(kind))
        asked = ("/v1/responses/resp_1",) if kind == "later" else ("/v1/responses", json.dumps(turn).encode())
        assert one.ask(first, *asked).status == 200

        def name(key, *items):
            body = {"model": "model-a", "input": [{"role": "user", "content": "on"}, *items]}
            return one.ask(key, "/v1/responses", json.dumps(body).encode()).status

        ways = [
            {"type": "item_reference", "id": "msg_1"},
            {"id": "msg_1"},
            {"id": "msg_1", "type": None, "x": 1},
            {"type": "reasoning", "id": "rs_1", "summary": []},
        ]
        for way in ways:
            assert [name(key, way) for key in (first, second, None)] == [200, 404, 404], way
        assert name(second, ITEMS[1], {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}) == 200
        up.script(plain(json.dumps({"id": "resp_2", "object": "response", "output": [{"id": "msg_2"}]}).encode()))
        assert name(None) == 200
        assert [name(key, {"type": "item_reference", "id": "msg_2"}) for key in (second, None)] == [404, 200]


def test_ids_that_are_written_as_escapes(tmp_path, up):
    """A key or an id whose letters are escapes of JSON is the same one to a provider, and to fairlead."""
    key = add(tmp_path, "laptop")
    up.default = (plain(WHOLE),)
    with Granted(tmp_path, up) as one:
        body = json.dumps({"model": "model-a", "messages": [{"role": "user", "content": [{"file_id": "file-1"}]}]})
        ways = [body, body.replace("file_id", "f\\u0069le_id"), body.replace("file_id", "file\\u005Fid")]
        assert [one.ask(key, body=way.encode()).status for way in ways] == [404] * 3
        quoted = body.replace('{"file_id": "file-1"}', '{"text": "\\u0022file_id\\u0022: \\u0022file-1\\u0022"}')
        assert one.ask(key, body=quoted.encode()).status == 200


def test_answers_that_fairlead_stores_belong_to_their_key(tmp_path, up):
    """A translated answer can be read, continued and deleted by its own key alone."""
    up.default = (plain(WHOLE),)
    first, second = add(tmp_path, "first"), add(tmp_path, "second")
    with Granted(tmp_path, up, backends=[backend("box", up.root, protocols=("chat",))]) as one:
        made = one.ask(first, "/v1/responses", b'{"model":"model-a","input":"hi"}').json()["id"]
        for key, status in ((second, 404), (None, 404), (first, 200)):
            assert one.ask(key, f"/v1/responses/{made}").status == status
            assert one.ask(key, f"/v1/responses/{made}/input_items").status == status
            again = json.dumps({"model": "model-a", "input": "on", "previous_response_id": made}).encode()
            assert one.ask(key, "/v1/responses", again).status == (200 if status == 200 else 400)
        assert one.ask(second, f"/v1/responses/{made}", method="DELETE").status == 404
        assert one.ask(first, f"/v1/responses/{made}", method="DELETE").status == 200
