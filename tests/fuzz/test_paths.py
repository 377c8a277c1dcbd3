"""Fuzz target: spellings of paths. Oracle: what ordinary servers make of a path, said once more and slowly, and the
lists of paths that cost, that are free and that are closed.
"""

import re
from urllib.parse import unquote

import pytest

from router.errors import BadRequest
from router.net.server.request_path import check_path
from router.wire import calls

from .mutation import MILLION, cases, spoilt

GENERATING = {"messages", "chat/completions", "responses", "responses/compact", "completions", "embeddings"}
#: A model answers them too, and says what it used.
METERED = {"fim/completions", "agents/completions"}
COSTLY = ("images/generations", "images/edits", "audio/speech", "audio/transcriptions", "videos", "batches",
          "messages/batches", "fine_tuning/jobs", "fine_tuning/jobs/ftjob-1/resume", "rerank", "realtime/calls",
          "threads/thread_1/runs", "threads/runs", "ocr", "containers", "evals/e/runs", "search", "complete",
          "async/chat/completions", "chat/deferred-completion", "vector_stores", "vector_stores/vs_1/search",
          "files/f/cancels", "skills")  # fmt: skip
#: Their first segments, then what may follow: an id is one segment.
FREE = (("messages", "count_tokens"), ("responses", "input_tokens"), ("responses", None, "cancel"), ("files",),
        ("batches", None, "cancel"), ("messages", "batches", None, "cancel"), ("uploads",), ("uploads", None, "parts"),
        ("uploads", None, "complete"), ("uploads", None, "cancel"), ("moderations",), ("conversations",),
        ("conversations", None), ("conversations", None, "items"), ("threads",), ("threads", "thread_"),
        ("threads", "thread_", "messages"), ("threads", "thread_", "messages", None), ("assistants",),
        ("assistants", None), ("threads", "thread_", "runs", None, "cancel"), ("chat", "completions", "chatcmpl-"),
        ("fine_tuning", "jobs", None, "cancel"), ("fine_tuning", "jobs", None, "pause"),
        ("vector_stores", None, "file_batches", None, "cancel"))  # fmt: skip
CLOSED = ("organization", "organizations", "admin", "projects", "api_keys", "apikeys", "keys", "auth", "users",
          "billing", "credits", "usage", "dashboard", "account", "invites", "workspaces", "limits")  # fmt: skip
CREDENTIALS = ("client_secret", "client_secrets", "ephemeral_tokens", "access_token")
SESSIONS = ("realtime/sessions", "realtime/transcription_sessions", "chatkit/sessions")
WORDS = (b"/", b"//", b"/v1", b"%2f", b"%2e", b".", b"..", b"%25", b"%63", b"%", b";", b"%3b", b"%00", b"\\", b"models",
         b"%6d", b"runs", b"cancel", b"V1", b"C", b"?")  # fmt: skip


def example(chance, pattern):
    """A path of a row of FREE."""
    ids = ("thread_1", "a%3Ab", "runs", "x")
    return "/".join(
        chance.choice(ids) if part is None else f"{part}1" if part.endswith(("_", "-")) else part for part in pattern
    )


def spelt(chance):
    """Some spelling of some path."""
    known = [*GENERATING, *METERED, *COSTLY, *SESSIONS, *(f"{one}/x" for one in CLOSED), "models/a%2Fb", "models",
             *(f"x/{one}" for one in CREDENTIALS), *(example(chance, one) for one in FREE), "files/f_1"]  # fmt: skip
    path = "/v1/" * chance.choice((0, 1, 1, 1, 2)) + chance.choice(known)
    path = path if path.startswith("/") else f"/{path}"
    out = ""
    for character in path:
        escaped = f"%{ord(character):02x}"
        out += chance.choice((character,) * 9 + (escaped, escaped.upper(), character.upper(), character * 2))
        out = out[:-1] if out.endswith("//") and chance.random() < 0.5 else out
    data = (out + chance.choice(("", "", "/", "//"))).encode()
    if chance.random() < 0.5:
        data = spoilt(chance, data, WORDS)
    return bytes(byte for byte in data if 33 <= byte <= 126)


def read_segments(path):
    """What an ordinary server routes by: decoded once, slashes merged, without the /v1 that are too many."""
    segments = [part for part in unquote(path, "latin-1").split("/") if part]
    while segments[:1] == ["v1"]:
        segments = segments[1:]
    return segments


def matches(segments, pattern):
    """True for a path of a row of FREE."""
    if len(segments) != len(pattern):
        return False
    for have, want in zip(segments, pattern, strict=True):
        if want is not None and not (have.startswith(want) if want.endswith(("_", "-")) else have == want):
            return False
        if have == want and want.endswith(("_", "-")):
            return False
    return True


def check_decisions(path, segments):
    """No generation escapes its count, no path that costs its refusal, no closed one the lock."""
    text, lowered = "/".join(segments), [part.lower().replace("-", "_") for part in segments]
    call = calls.call(path)
    assert call.generates == (text in GENERATING)
    assert call.counted == (text in GENERATING | METERED)
    for method in ("POST", "PUT", "PATCH"):
        assert calls.is_free(path, method) == any(matches(segments, one) for one in FREE), path
    closed = lowered[0] in CLOSED or "/".join(lowered[:2]) in SESSIONS or not {*lowered}.isdisjoint(CREDENTIALS)
    if closed:
        assert calls.is_closed(path, "GET"), path
        assert calls.is_closed(path, "POST"), path
    if segments[0] != "responses":
        assert calls.is_closed(path, "DELETE"), path


@pytest.mark.parametrize("count", [8000, MILLION])
def test_paths(count):
    """What is sent upstream is read there as it was decided here, in every spelling; else it is refused."""
    sent = refused = elsewhere = 0
    for chance in cases("paths", count):
        target = spelt(chance)
        path = target.partition(b"?")[0].decode()
        if not path.startswith("/"):
            continue
        try:
            check_path(target)
        except BadRequest:
            refused += 1
            continue
        canonical = calls.canonical(path)
        if canonical is None or canonical == "/v1/models" or canonical.startswith("/v1/models/"):
            elsewhere += 1  # answered here
            continue
        sent += 1
        check_path(canonical.encode())
        assert calls.canonical(canonical) == canonical
        assert re.fullmatch(r"/v1(/[A-Za-z0-9._~!$&'()*+,=:@-]+|/(?:[^/%]|%[0-9A-F]{2})+)+", canonical), canonical
        asked, read = read_segments(path), read_segments(canonical)
        if "/".join(read) in GENERATING | METERED | {"messages/count_tokens", "responses/input_tokens"}:
            asked = [part.lower() for part in asked]
        assert read == asked, (path, canonical)
        check_decisions(canonical, read)
    assert sent > count // 5
    assert refused > count // 50
    assert elsewhere > count // 50
