"""Bad input around Google's API and clouds: each ends in a clear error in the caller's protocol; no key is shown."""

import json
import time
from email.utils import formatdate

import pytest

from ..upstream.keys.cloud import running
from ..upstream.keys.service_accounts import write_account
from .processes import Proxy, Threaded, backend, until
from .samples import PROTOCOLS
from .upstream import plain
from .wire import ask

KEY = "AIza-upstream-key-0123456789"
CALLERS_KEY = "AIza-callers-canary-0123456789"
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
TURNS = {
    "messages": {"max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]},
    "chat": {"messages": [{"role": "user", "content": "hi"}]},
    "responses": {"input": "hi", "store": False},
}
PATHS = {one.name: one.path for one in PROTOCOLS}
CALLERS = ("gemini", *TURNS)
DONE = {"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": "STOP"}
WHOLE = json.dumps({"candidates": [DONE]}).encode()
INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def error(code, status, message, reason=""):
    """An error in Google's form."""
    details = {"details": [{"@type": INFO, "reason": reason, "domain": "googleapis.com"}]} if reason else {}
    return {"code": code, "message": message, "status": status, **details}


#: What Google answers, and what an Anthropic client is told: status and type.
REFUSALS = {
    "wrong key": (
        error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"),
        (401, "authentication_error"),
    ),
    "expired key": (
        error(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", "API_KEY_INVALID"),
        (401, "authentication_error"),
    ),
    "expired token": (
        error(
            *(401, "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token."),
            "ACCESS_TOKEN_EXPIRED",
        ),
        (401, "authentication_error"),
    ),
    "wrong region": (
        error(
            *(404, "NOT_FOUND"),
            "Publisher Model `projects/p-1/locations/moon/publishers/google/models/gemini-x` was not found or your "
            "project does not have access to it.",
        ),
        (404, "not_found_error"),
    ),
    "missing project": (
        error(403, "PERMISSION_DENIED", "Permission denied on resource project p-0.", "CONSUMER_INVALID"),
        (403, "permission_error"),
    ),
}


def asked(caller, model):
    """The path and the body of a request."""
    if caller == "gemini":
        return f"/v1beta/models/{model}:generateContent", json.dumps({"contents": CONTENTS}).encode()
    return PATHS[caller], json.dumps({"model": model, **TURNS[caller]}).encode()


def message_of(caller, answer):
    """The message of an error, which has the form of the caller's protocol."""
    found = answer.json()
    said = found["error"]
    if caller == "gemini":
        assert (said["code"], bool(said["status"])) == (answer.status, True)
    elif caller == "messages":
        assert (found["type"], isinstance(said["type"], str)) == ("error", True)
    else:
        assert set(said) >= {"message", "type", "code"}
    return said["message"]


def google(upstream, name="box", **more):
    """A backend that speaks Google's API."""
    root = upstream.root.removesuffix("/v1") + "/v1beta"
    return backend(name, root, protocols=["gemini"], **{"auth": "key", "key": KEY, **more})


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_of_google(tmp_path, upstream, case):
    """A caller of Google's API gets it byte for byte, others what their protocol says for it, with Google's words."""
    said, (status, kind) = REFUSALS[case]
    body = json.dumps({"error": said}, indent=1).encode()
    upstream.default = (plain(body, f"{said['code']} Refused".encode()),)
    with Threaded(tmp_path, backends=[google(upstream, name) for name in CALLERS]) as proxy:
        answers = {caller: ask(proxy.port, *asked(caller, f"{caller}:gemini-x")) for caller in CALLERS}
    assert (answers["gemini"].status, answers["gemini"].body) == (said["code"], body)
    assert {caller: one.status for caller, one in answers.items() if caller != "gemini"} == dict.fromkeys(TURNS, status)
    assert answers["messages"].json()["error"]["type"] == kind
    assert {message_of(caller, one) for caller, one in answers.items()} == {said["message"]}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("skew", "word"), [(600, "10 min behind"), (-600, "10 min ahead")])
def test_a_clock_that_is_off(tmp_path, upstream, caller, skew, word):
    """No token is given for an assertion of another time: the error names the clock, and nothing is asked."""
    with running() as cloud:
        cloud.skew = skew
        file = write_account(tmp_path / "account.json", f"{cloud.url}/token")
        with Threaded(tmp_path, backends=[google(upstream, key=f"google:{file}")]) as proxy:
            answer = ask(proxy.port, *asked(caller, "box:gemini-x"))
    assert answer.status == 401
    assert f"This machine's clock is {word}" in message_of(caller, answer)
    assert upstream.seen == []


@pytest.mark.parametrize("caller", ["gemini", "messages"])
@pytest.mark.parametrize(("skew", "word"), [(600, "10 min behind"), (-600, "10 min ahead")])
def test_a_clock_that_is_off_at_amazon(tmp_path, upstream, caller, skew, word):
    """A key that is signed for another time is made once more: the caller gets Amazon's words, or what is wrong with
    the clock where the same second gives the same key; the history always has that."""
    settings = {"AWS_ACCESS_KEY_ID": "AKIA0123456789ABCDEF", "AWS_SECRET_ACCESS_KEY": "secret-0123456789"}
    said = "Signature expired: 20261201T000000Z is now earlier than 20261201T001000Z"
    date = (b"date", formatdate(time.time() + skew, usegmt=True).encode())
    upstream.default = (plain(json.dumps({"message": said}).encode(), b"403 Forbidden", date),)
    root = upstream.root.removesuffix("/v1") + "/model"
    entry = {"protocols": ["messages"], "vendor": "bedrock-invoke", "auth": "key", "key": "aws:bedrock@us-east-1"}
    with Proxy(tmp_path, backends=[backend("box", root, **entry)], settings=settings) as proxy:
        answer = ask(proxy.port, *asked(caller, "box:us.claude-x"))
        name = answer.field(b"x-fairlead-request-id").decode()
        history = ask(proxy.port, f"/admin/history/{name}", None, proxy.operator())
    message = message_of(caller, answer)
    assert said in message if answer.status == 403 else f"This machine's clock is {word}: set it." in message
    assert answer.status in (401, 403)
    assert f"this machine's clock is {word}, by that of box" in history.body.decode()
    assert len(upstream.seen) == 1 + (answer.status == 403)


def test_a_model_of_a_caller_without_a_key(tmp_path, upstream):
    """The log of a request that is refused at the gate has nothing of the model in its path, nor a place for it."""
    entries = []
    with Threaded(tmp_path, backends=[google(upstream)], api_key="fl-own-key-0123456789", require_key="on") as proxy:
        proxy.call(lambda: proxy.serving.runtime.recorder.listeners.add(entries.append))
        assert ask(proxy.port, *asked("gemini", "box:gemini-x")).status == 401
        assert until(lambda: entries)
    assert (entries[0].path, entries[0].model) == ("/v1beta/models/:generateContent", "")


@pytest.mark.parametrize("spoken", ["gemini", "chat"])
def test_a_model_in_the_body_that_is_not_that_of_the_path(tmp_path, upstream, spoken):
    """The path tells the model, as it does at Google: it alone is routed, and the body names no other."""
    whole = WHOLE if spoken == "gemini" else next(one.whole for one in PROTOCOLS if one.name == spoken)
    upstream.script(plain(whole))
    entry = google(upstream) if spoken == "gemini" else backend("box", upstream.root, protocols=[spoken])
    path, _ = asked("gemini", "box:gemini-x")
    with Threaded(tmp_path, backends=[entry]) as proxy:
        answer = ask(proxy.port, path, json.dumps({"model": "models/other", "contents": CONTENTS}).encode())
    assert answer.status == 200, answer.body
    [seen] = upstream.seen
    assert b"other" not in seen.body
    assert b"gemini-x" in seen.line + seen.body


def test_a_model_in_the_body_is_googles_to_refuse(tmp_path, upstream):
    """Where the path goes on as it came, so does the body, and what Google says of it comes back."""
    body = json.dumps({"model": "models/other", "contents": CONTENTS}, indent=1).encode()
    said = json.dumps({"error": error(400, "INVALID_ARGUMENT", "Model in the path differs.")}).encode()
    upstream.script(plain(said, b"400 Bad Request"))
    with Threaded(tmp_path, backends=[google(upstream)], default_backend="box") as proxy:
        answer = ask(proxy.port, asked("gemini", "gemini-x")[0], body)
    assert (answer.status, answer.body) == (400, said)
    assert [seen.body for seen in upstream.seen] == [body]


@pytest.mark.parametrize("verb", ["writePoem", "generatecontent", ""])
def test_an_unknown_verb(tmp_path, upstream, verb):
    """It is refused in Google's form, with the verbs that there are, and nothing is asked."""
    with Threaded(tmp_path, backends=[google(upstream)]) as proxy:
        answer = ask(proxy.port, f"/v1beta/models/box:gemini-x:{verb}", json.dumps({"contents": CONTENTS}).encode())
    assert (answer.status, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    said = message_of("gemini", answer)
    assert said.endswith("asked of a model here; generateContent, countTokens and embedContent are.")
    assert verb in said
    assert upstream.seen == []


def test_a_key_in_the_query_is_shown_nowhere(tmp_path, upstream):
    """Neither an upstream, nor an error, the log, the history or a capture has it, whatever becomes of the request."""
    upstream.default = (plain(WHOLE),)
    settings = {"FAIRLEAD_HISTORY_CAPTURE": "on", "FAIRLEAD_VERBOSE": "2", "FAIRLEAD_DEFAULT_BACKEND": "box"}
    body = json.dumps({"contents": CONTENTS}).encode()
    with Proxy(tmp_path, backends=[google(upstream)], settings=settings) as proxy:
        answers = [
            ask(proxy.port, f"/v1beta/models/{path}key={CALLERS_KEY}", sent)
            for path, sent in (
                ("gemini-x:generateContent?", body),
                ("gemini-x:streamGenerateContent?alt=sse&", b"{"),
                ("gemini-x:writePoem?", body),
                ("none:gemini-x:generateContent?$fields=a&", body),
                ("gemini%2Dx:generateContent?Key=1&%6Bey=2&", body),
            )
        ]
        history = ask(proxy.port, "/admin/history/-", None, proxy.operator())
        assert proxy.stop() == 0
    assert answers[0].status == 200
    texts = [history.body, proxy.log.read_bytes(), *(one.body + str(one.lines).encode() for one in answers)]
    texts += [seen.line + str(seen.lines).encode() for seen in upstream.seen]
    texts += [path.read_bytes() for path in proxy.home.rglob("*") if path.is_file()]
    assert upstream.seen
    assert not [text for text in texts if b"canary" in text]
