"""Keys of clouds in a running proxy: made from the user's credentials, for the right host, and seen by nobody else."""

import base64
import json
import sys
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from .processes import Proxy, backend
from .samples import PROTOCOLS
from .upstream import plain
from .wire import ask

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")

CHAT = next(protocol for protocol in PROTOCOLS if protocol.name == "chat")
SECRET, SESSION = "secret-canary/0123456789+abcdefghijklmno", "session-canary/0123456789+abcdef=="
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIA0123456789ABCDEF",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": SESSION,
    "FAIRLEAD_VERBOSE": "2",
}
REFERENCE = "aws:bedrock@us-east-1"


def ask_box(proxy):
    return ask(proxy.port, CHAT.path, CHAT.body("box:m"))


def sent_key(seen):
    """The presigned URL in the key of a request."""
    key = seen.field(b"authorization").decode().removeprefix("Bearer ")
    assert key.startswith("bedrock-api-key-")
    return base64.b64decode(key.removeprefix("bedrock-api-key-")).decode()


def test_a_bedrock_key_is_made_and_used_again(tmp_path, upstream):
    """From the credentials of the proxy's environment, once for many requests; neither secret is in it."""
    upstream.default = (plain(CHAT.whole),)
    entry = backend("box", upstream.root, auth="key", key=REFERENCE)
    with Proxy(tmp_path, backends=[entry], settings=ENVIRONMENT) as proxy:
        assert [ask_box(proxy).status for _ in range(5)] == [200] * 5
    keys = {sent_key(seen) for seen in upstream.seen if seen.field(b"authorization")}
    assert len(keys) == 1
    fields = parse_qs(urlsplit("//" + keys.pop()).query)
    assert fields["X-Amz-Security-Token"] == [SESSION]
    assert "/us-east-1/bedrock/" in fields["X-Amz-Credential"][0]


def test_nothing_secret_is_repeated(tmp_path, upstream):
    """An upstream that repeats the key, what it holds, and what it was made of: neither the client, the log, the
    history nor a capture has any of it."""
    seen = {}

    def refuse(arrived):
        url = sent_key(arrived)
        seen["signature"] = parse_qs(urlsplit("//" + url).query)["X-Amz-Signature"][0]
        said = f"{url} | {SESSION} | {SECRET} | {arrived.field(b'authorization').decode()} | {seen['signature']}"
        return json.dumps({"error": {"message": f"the canonical request was {said}"}}).encode()

    upstream.default = (plain(CHAT.whole),)
    settings = {**ENVIRONMENT, "FAIRLEAD_HISTORY_CAPTURE": "on"}
    entry = backend("box", upstream.root, auth="key", key=REFERENCE)
    with Proxy(tmp_path, backends=[entry], settings=settings) as proxy:
        assert ask_box(proxy).status == 200
        first = next(one for one in upstream.seen if one.field(b"authorization"))
        upstream.default = (plain(refuse(first), b"400 Bad Request"),)
        answer = ask_box(proxy)
        history = ask(proxy.port, "/admin/history/-", None, proxy.operator())
        assert proxy.stop() == 0
    assert answer.status == 400
    assert b"the canonical request was" in answer.body
    texts = [unquote(answer.body.decode()), unquote(history.body.decode()), proxy.log.read_text()]
    for path in proxy.home.rglob("*"):
        if path.is_file() and path.suffix not in (".db", ".sqlite"):
            texts.append(path.read_bytes().decode("utf-8", "replace"))
    for text in texts:
        assert "canary" not in text
        assert seen["signature"] not in text
        assert "bedrock-api-key-" not in text


def test_requests_go_on_across_the_end_of_a_token(tmp_path, upstream):
    """A token of two seconds, and fifty requests and more until it was renewed: none fails or is sent twice, one
    renewal is enough, and each goes out with a token that is valid."""
    program, runs = tmp_path / "program", tmp_path / "runs"
    program.write_text(
        f"#!/bin/sh\nnow=$(date +%s.%N)\necho $now >>{runs}\n"
        """printf '{"token": "tok-%s", "expires_in": 2}' $now\n"""
    )
    program.chmod(0o700)
    upstream.default = (plain(CHAT.whole),)
    entry = backend("box", upstream.root, auth="key", key=f'cmd:["{program}"]')
    answers = []
    with Proxy(tmp_path, backends=[entry]) as proxy:
        while len(answers) < 50 or len({seen.field(b"authorization") for seen in upstream.seen}) < 2:
            answers.append(ask_box(proxy))
            made = float(upstream.seen[-1].field(b"authorization").removeprefix(b"Bearer tok-"))
            # What the proxy counts from is when the program has ended.
            assert time.time() < made + 2 + 1
    assert {answer.status for answer in answers} == {200}
    assert {answer.field(b"x-fairlead-attempts") for answer in answers} <= {None, b"1"}
    assert len(runs.read_text().split()) == 2


def test_missing_credentials_are_told_to_the_client(tmp_path, upstream):
    """With the reason, and no request goes upstream."""
    entry = backend("box", upstream.root, auth="key", key=REFERENCE)
    with Proxy(tmp_path, backends=[entry]) as proxy:
        answer = ask_box(proxy)
        assert answer.status == 401
        assert "there is no profile default in ~/.aws/credentials" in answer.json()["error"]["message"]
    assert upstream.seen == []


def test_a_session_that_expired_is_replaced(tmp_path, upstream):
    """A 403 that says so makes a new key once, from what the command prints by then."""
    file, program = tmp_path / "printed", tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexec cat {file}\n")
    program.chmod(0o700)
    upstream.default = (plain(CHAT.whole),)

    def put(session):
        printed = {"Version": 1, "AccessKeyId": "AKIAX", "SecretAccessKey": SECRET, "SessionToken": session}
        file.write_text(json.dumps(printed))

    put("former-session")
    entry = backend("box", upstream.root, auth="key", key=f'cmd:["{program}"]@us-east-1')
    with Proxy(tmp_path, backends=[entry]) as proxy:
        assert ask_box(proxy).status == 200
        put("newer-session")
        expired = b'{"message":"The security token included in the request is expired"}'
        upstream.script(plain(expired, b"403 Forbidden"))
        answer = ask_box(proxy)
        assert (answer.status, answer.field(b"x-fairlead-attempts")) == (200, b"2")
    sessions = [parse_qs(urlsplit("//" + sent_key(seen)).query)["X-Amz-Security-Token"] for seen in upstream.seen[-2:]]
    assert sessions == [["former-session"], ["newer-session"]]
