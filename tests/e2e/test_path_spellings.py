"""Paths in other spellings, and paths nobody thought of, at a real proxy with a budget: nothing passes uncounted."""

import json

import pytest

from .budgets import BODY, COMPACTS, answer, configured, proxy, query
from .upstream import plain
from .wire import ask

EMBEDDING = b'{"model":"model-a","input":"x"}'
RESPONSE = json.dumps({
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "model-a", "output": [],
    "usage": {"input_tokens": 1499, "output_tokens": 1, "total_tokens": 1500},
}).encode()  # fmt: skip
#: What was sent -> the path it means, and its body and answer.
GENERATIONS = {
    "/v1//chat/completions": "/v1/chat/completions",
    "/v1/chat//completions": "/v1/chat/completions",
    "/v1/chat/completions/": "/v1/chat/completions",
    "/v1/chat/%63ompletions": "/v1/chat/completions",
    "/v1/CHAT/completions": "/v1/chat/completions",
    "/v1//responses": "/v1/responses",
    "/v1/responses/": "/v1/responses",
    "/v1/embeddings/": "/v1/embeddings",
    # Their answers tell what was used.
    "/v1/responses/compact": "/v1/responses/compact",
    "/v1/fim/completions": "/v1/fim/completions",
    "/v1/agents/completions": "/v1/agents/completions",
    "/v1//fim/%63ompletions/": "/v1/fim/completions",
}
COSTLY = (
    "/v1//images/generations",
    "/v1/%69mages/generations",
    "/v1/%61udio/speech",
    "/v1/%62atches",
    "/v1/images/generations",
    "/v1/threads/runs",
    "/v1/threads/thread_1/runs",
    "/v1/ocr",
    "/v1/containers",
    "/v1/evals/e/runs",
    "/v1/search",
    "/v1/async/chat/completions",
    "/v1/chat/deferred-completion",
    "/v1/complete",
    "/v1/vector_stores",
    "/v1/realtime/calls",
    "/v1/unheard/of",
)
CREDENTIALS = ("/v1/chatkit/sessions", "/v1/realtime/client_secrets", "/v1//realtime/%73essions", "/v1/keys/")


def body_of(path):
    """A request and an answer of 1,500 tokens, which cost $1.50."""
    if "responses" in path:
        return RESPONSE_BODY, plain(RESPONSE)
    if "embeddings" in path:
        usage = {"prompt_tokens": 1500, "total_tokens": 1500}
        return EMBEDDING, plain(json.dumps({"object": "list", "data": [], "usage": usage}).encode())
    return BODY, answer(1500)


RESPONSE_BODY = b'{"model":"model-a","input":"x"}'


@pytest.mark.parametrize("path", GENERATIONS)
def test_a_generation_is_counted_in_any_spelling(tmp_path, up, path):
    """It works, is sent upstream in its one spelling, and its tokens are spent: the third one finds the budget used."""
    configured(tmp_path, f'guard.day_usd = 2.5\nguard.unpriced = "refuse"\n{COMPACTS}')
    body, said = body_of(path.lower())
    up.default = [said]
    with proxy(tmp_path, up) as one:
        statuses = [ask(one.port, path, body).status for _ in range(3)]
    assert statuses == [200, 200, 429 if "//responses" in path or path.startswith("/v1/responses") else 402]
    assert {seen.line for seen in up.seen} == {b"POST %b HTTP/1.1" % GENERATIONS[path].encode()}
    assert query(tmp_path, "SELECT cost FROM requests WHERE status = 200") == [(1_500_000_000,)] * 2
    paths = query(tmp_path, "SELECT DISTINCT path FROM requests")
    assert paths == [(GENERATIONS[path],)]


def test_what_costs_and_is_not_counted_is_refused(tmp_path, up):
    """Under guard.unpriced = refuse only calls that are known to be free pass beside generations."""
    configured(tmp_path, 'guard.day_usd = 5\nguard.unpriced = "refuse"')
    up.default = [plain(b"{}")]
    with proxy(tmp_path, up) as one:
        for path in COSTLY:
            for method in ("POST", "PUT", "PATCH"):
                found = ask(one.port, path, b'{"model":"model-a"}', method=method)
                assert found.status == 402, (method, path)
        assert up.seen == []
        for path in ("/v1/files", "/v1//moderations/", "/v1/responses/resp_1/cancel", "/v1/uploads"):
            assert ask(one.port, path, b'{"model":"model-a"}').status == 200, path
        assert ask(one.port, "/v1/batches/b").status == 200


@pytest.mark.parametrize("path", CREDENTIALS)
def test_credentials_are_not_handed_out(tmp_path, up, path):
    """Paths that make a client secret are closed in any spelling."""
    configured(tmp_path, "")
    with proxy(tmp_path, up) as one:
        assert ask(one.port, path, b"{}").status == 403
        assert ask(one.port, path).status == 403
    assert up.seen == []


def test_usage_in_any_answer_is_counted(tmp_path, up):
    """A path without a protocol whose JSON tells its usage: pictures in the names of Responses, others in Chat's; an
    answer over 1 MiB by its end; a repeated answer is not counted twice."""
    configured(tmp_path, "guard.day_usd = 1000")
    picture = {"data": [{"b64_json": "A" * 1_500_000}], "usage": {"input_tokens": 40, "output_tokens": 60}}
    with proxy(tmp_path, up) as one:
        up.script(plain(json.dumps(picture).encode()))
        assert ask(one.port, "/v1/images/generations", b'{"model":"model-a"}').status == 200
        up.script(answer(77))
        assert ask(one.port, "/v1/async/chat/completions", BODY).status == 200
        up.script(plain(RESPONSE))
        assert ask(one.port, "/v1/responses/resp_1").status == 200
        up.script(plain(RESPONSE))
        assert ask(one.port, "/v1/responses/resp_1/cancel", b"{}").status == 200
    rows = query(tmp_path, "SELECT tokens_in, tokens_out FROM requests ORDER BY seq")
    assert [row for row in rows if row != (None, None)] == [(40, 60), (76, 1)]


def test_a_generation_in_any_spelling_is_one(fairlead, upstream):
    """An error inside a 200 becomes a status, and a stream is asked for its usage, as on the path itself."""
    upstream.script(plain(b'{"error":{"message":"no","type":"server_error","code":"server_error"}}'))
    assert ask(fairlead.port, "/v1/chat//%63ompletions/", BODY).status >= 500
    asked = json.dumps({**json.loads(BODY), "model": "oai:m", "stream": True}).encode()
    upstream.script(plain(b"{}"))
    ask(fairlead.port, "/v1//chat/completions", asked)
    assert json.loads(upstream.seen[-1].body)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v1/chat/completions;x", b"semicolon"),
        ("/v1/chat%2Fcompletions", b"escaped slash"),
        ("/v1/%2563hat/completions", b"escaped percent"),
        ("/v1/chat/completions%00", b"control character"),
        ("/v1/chat/%completions", b"percent sign"),
        ("/v1/files/../chat/completions", b"dot segments"),
    ],
)
def test_a_path_of_two_readings_is_refused(fairlead, upstream, path, reason):
    """400, with the reason, and nothing is sent."""
    found = ask(fairlead.port, path, BODY)
    assert found.status == 400
    assert reason in found.body
    assert upstream.seen == []


def test_names_of_models_may_hold_anything(fairlead, upstream):
    """GET /v1/models/ID takes an escaped name as a whole, also behind a base URL that ends in a slash."""
    for path in ("/v1/models/model-a", "/v1//models/model%2Da", "/models/box%3Amodel-a", "//v1/models/org%2Fmodel%3Bx"):
        assert ask(fairlead.port, path).status == 200, path
    assert [entry["id"] for entry in ask(fairlead.port, "/v1/models/").json()["data"]]
