"""The one spelling of a path, and the tables that are looked up by it."""

import random
import re
from urllib.parse import unquote

import pytest

from router.net.server.request_path import PATH_LIMIT
from router.wire import calls
from router.wire.paths import tables
from router.wire.paths.spelling import spell

from ...growth import grows_evenly

KNOWN = (
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/messages/batches",
    "/v1/chat/completions",
    "/v1/chat/completions/chatcmpl-1",
    "/v1/responses",
    "/v1/responses/resp_1/cancel",
    "/v1/responses/compact",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/batches/batch_1/cancel",
    "/v1/files",
    "/v1/uploads/upload_1/parts",
    "/v1/organization/users",
    "/v1/realtime/sessions",
    "/v1/files/a%3Bb%2Fc",
    "/v1/unheard/of",
)


def respelt(chance, path):
    """Another spelling that an ordinary server takes for the same path: escapes, slashes, /v1 once too often."""
    if chance.random() < 0.3:
        path = "/v1" * chance.randrange(1, 3) + path
    out = ""
    for piece in re.findall("%..|.", path):
        if piece == "/":
            out += "/" * chance.choice((1, 1, 1, 2, 5))
        elif len(piece) == 3:
            out += chance.choice((piece.lower(), piece.upper()))
        else:
            out += chance.choice((piece, piece, piece, f"%{ord(piece):02x}", f"%{ord(piece):02X}"))
    return out + "/" * chance.choice((0, 0, 1, 3))


def decisions(path):
    """All that is decided by a canonical path."""
    found = calls.call(path)
    verbs = ("GET", "POST", "PUT", "DELETE")
    return (
        path,
        found,
        found.counted,
        [calls.is_closed(path, verb) for verb in verbs],
        [calls.is_free(path, verb) for verb in verbs],
        [calls.tells_usage(path, verb) for verb in verbs],
    )


@pytest.mark.parametrize("path", KNOWN)
def test_spellings_of_one_path_are_decided_alike(path):
    """Whatever escapes, slashes and prefixes a path is written with, every decision is that of the path itself."""
    chance = random.Random(path)
    wanted = decisions(calls.canonical(path))
    for _ in range(300):
        spelling = respelt(chance, path)
        assert decisions(calls.canonical(spelling)) == wanted, spelling


@pytest.mark.parametrize("path", KNOWN)
def test_what_is_sent_is_what_was_decided(path):
    """The path that goes upstream, read once more, is decided as the one asked for; a server reads the same in both."""
    chance = random.Random(path)
    for _ in range(100):
        spelling = respelt(chance, path)
        sent = calls.canonical(spelling)
        assert decisions(calls.canonical(sent)) == decisions(sent)
        read = re.sub("/+", "/", unquote(spelling).rstrip("/"))
        assert re.sub("^(?:/v1)*", "", unquote(sent)) == re.sub("^(?:/v1)*", "", read)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/chat/%63ompletions", "/v1/chat/completions"),
        ("/v1//chat///completions//", "/v1/chat/completions"),
        ("//v1/chat/completions", "/v1/chat/completions"),
        ("//chat/completions", "/v1/chat/completions"),
        ("/v1/v1//v1/messages/", "/v1/messages"),
        ("/%76%31/messages", "/v1/messages"),
        ("/v1/Chat/Completions", "/v1/chat/completions"),
        ("/v1/files/A%3ab%20c%c3%a9", "/v1/files/A:b%20c%C3%A9"),
        ("/v1/files/[a]|b", "/v1/files/%5Ba%5D%7Cb"),
        ("/v1/files/", "/v1/files"),
        ("/v1/models/", "/v1/models"),
        ("/v1//models/a%2fb", "/v1/models/a%2fb"),
        ("//models", "/v1/models"),
        ("/v1/", None),
        ("/v1//v1/", None),
        ("//", None),
        ("/%76%32/messages", None),
    ],
)
def test_a_path_has_one_spelling(path, wanted):
    """Escapes only where they must be, no empty segment, one /v1; what is no path of an API is none in any spelling."""
    assert calls.canonical(path) == wanted


def test_paths_that_make_credentials_are_closed():
    """A client secret is a key to the account: handing one out needs passthrough = all, wherever the path stands."""
    for path in (
        "/v1/realtime/client_secrets",
        "/v1/realtime/sessions",
        "/v1/realtime/transcription_sessions",
        "/v1/realtime/translation-sessions",
        "/v1/chatkit/sessions",
        "/v1/chatkit/sessions/s/cancel",
        "/v1/agents/a/client-secrets",
        "/v1/Realtime/Client_Secrets",
        "/v1/ephemeral_tokens",
        "/v1/service_accounts",
        "/v1//realtime/%63lient_secrets/",
    ):
        assert calls.is_closed(calls.canonical(path), "POST"), path
    assert not calls.is_closed("/v1/realtime/calls", "POST")
    assert not calls.is_closed("/v1/files/client_secrets.json", "GET")


@pytest.mark.parametrize(
    ("method", "path", "free"),
    [
        ("POST", "/v1/messages/count_tokens", True),
        ("POST", "/v1/responses/input_tokens", True),
        ("POST", "/v1/responses/resp_1/cancel", True),
        ("POST", "/v1/files", True),
        ("POST", "/v1/uploads/u/parts", True),
        ("POST", "/v1/moderations", True),
        ("POST", "/v1/threads/thread_1/messages", True),
        ("GET", "/v1/images/generations", True),
        ("DELETE", "/v1/batches/b", True),
        ("POST", "/v1/threads/runs", False),
        ("POST", "/v1/threads/thread_1/runs", False),
        ("POST", "/v1/threads/thread_1/runs/run_1/submit_tool_outputs", False),
        ("POST", "/v1/threads/thread_1/runs/run_1", True),
        ("POST", "/v1/threads/thread_1/runs/x", False),
        ("POST", "/v1/evals/eval_1/runs/evalrun_1", True),
        ("POST", "/v1/evals/eval_1/runs", False),
        ("POST", "/v1/fine_tuning/jobs/j/resume", False),
        ("POST", "/v1/batches", False),
        ("POST", "/v1/vector_stores/v/search", False),
        ("POST", "/v1/files/f/cancel/x", False),
        ("PUT", "/v1/anything", False),
        ("PATCH", "/v1/videos/v", False),
        ("POST", "/v1/Files", False),
        ("POST", "/v1/unheard/of", False),
    ],
)
def test_what_is_not_known_to_be_free_costs(method, path, free):
    """A path that nobody has thought of is one that costs."""
    assert calls.is_free(path, method) is free


def test_a_repeated_usage_is_not_counted_again():
    """Reading or cancelling an answer tells its usage once more."""
    assert calls.tells_usage("/v1/fim/completions", "POST")
    assert not calls.tells_usage("/v1/responses/resp_1", "GET")
    assert not calls.tells_usage("/v1/responses/resp_1/cancel", "POST")
    assert not calls.tells_usage("/v1/chat/completions/chatcmpl-1", "POST")
    assert not calls.tells_usage("/v1/threads/thread_1/runs/run_1", "POST")
    assert not calls.tells_usage("/v1/evals/eval_1/runs/run_1", "POST")
    assert calls.tells_usage("/v1/threads/thread_1/runs", "POST")
    assert calls.tells_usage("/v1/threads/thread_1/runs/run_1/submit_tool_outputs", "POST")


@pytest.mark.parametrize("unit", ["/", "/v1", "%2", "%41", "[", "/cancel", "/a", "%2f", "client_secrets/"])
def test_long_paths_are_read_in_linear_time(unit):
    """Twice the path takes less than three times the time."""

    def read(path):
        one = calls.canonical(path) or path
        spell(one), calls.is_closed(one, "DELETE"), calls.is_free(one, "POST"), tables.retells_usage(one)

    grows_evenly(lambda size: "/v1/" + unit * (size // len(unit)), read, 4 * PATH_LIMIT)
