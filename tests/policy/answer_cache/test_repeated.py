"""An answer that repeats fields of its request has those of the request that it is given to."""

import json

from router.policy.answer_cache.repeated import repeat_fields

ANSWER = b'{"id": "resp_1", "metadata": {"run": "1"}, "user": null, "x": 1.0}'


def test_nothing_to_change():
    """An answer whose fields are right already, or that repeats none, keeps every byte."""
    assert repeat_fields(ANSWER, {"metadata": {"run": "1"}}, stream=False) is ANSWER
    assert repeat_fields(b'{ "id":1 }', {"metadata": {"run": "2"}}, stream=False) == b'{ "id":1 }'
    assert repeat_fields(b'not "metadata" JSON', {}, stream=False) == b'not "metadata" JSON'


def test_a_whole_answer():
    """The request's own value, or that of a request without one; fields that the answer lacks stay out of it."""
    found = json.loads(repeat_fields(ANSWER, {"user": "u", "prompt_cache_key": "k"}, stream=False))
    assert found == {"id": "resp_1", "metadata": {}, "user": "u", "x": 1.0}


def test_a_stream():
    """Each event that has the response in it; all others keep every byte."""
    first = b'event: response.created\ndata: {"type":"response.created","response":%b}\n\n' % ANSWER
    text = b'event: response.output_text.delta\r\ndata:{"delta": "\\"metadata\\""}\r\n\r\n'
    found = repeat_fields(first + text + b": end\n\n", {"metadata": {"run": "2"}}, stream=True)
    head, _, rest = found.partition(b"\n\n")
    assert json.loads(head.partition(b"data: ")[2])["response"]["metadata"] == {"run": "2"}
    assert head.startswith(b"event: response.created\n")
    assert rest == text + b": end\n\n"
