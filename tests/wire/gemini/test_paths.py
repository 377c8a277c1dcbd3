"""The paths of Google's API: version, model and verb, in every spelling that clients have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.net.query import replace_parameter, take_key
from router.wire import calls
from router.wire.gemini import paths
from router.wire.protocols import GEMINI


@pytest.mark.parametrize(
    ("path", "canonical", "model", "kind"),
    [
        ("/v1beta/models/gemini-x:generateContent", None, "gemini-x", "text"),
        ("/v1/models/gemini-x:streamGenerateContent", None, "gemini-x", "stream"),
        ("/v1alpha/models/a:countTokens", None, "a", "count"),
        ("/v1beta/models/box:org/m-1:generateContent", None, "box:org/m-1", "text"),
        (
            "/v1beta/models/claude-opus-5[1m]:generateContent",
            "/v1beta/models/claude-opus-5%5B1m%5D:generateContent",
            "claude-opus-5[1m]",
            "text",
        ),
        ("/v1beta/models/a%2Fb%3Ac:generateContent", "/v1beta/models/a/b:c:generateContent", "a/b:c", "text"),
        ("/v1beta/v1beta/models/a:generateContent", "/v1beta/models/a:generateContent", "a", "text"),
        ("/v1/v1beta/models/a:generateContent", "/v1beta/models/a:generateContent", "a", "text"),
        ("//v1beta//models/models/a:generateContent", "/v1beta/models/a:generateContent", "a", "text"),
        ("/v1beta/tunedModels/t-1:generateContent", None, "tunedModels/t-1", "text"),
        ("/v1beta/models/e:embedContent", None, "e", "metered"),
        ("/v1beta/models/e:batchEmbedContents", None, "e", "metered"),
        ("/v1beta/models/e:predictLongRunning", None, "e", "other"),
    ],
)
def test_a_path_names_model_and_verb(path, canonical, model, kind):
    """The verb is behind the last colon, escapes are decoded once, and doubles are collapsed."""
    found = calls.canonical(path)
    assert found == (canonical or path)
    assert calls.canonical(found) == found
    call = calls.call(found)
    assert (call.entry, call.protocol, call.model, call.asks_model) == (GEMINI, "gemini", model, True)
    kinds = {"text": call.generates and not call.stream, "stream": call.generates and call.stream}
    kinds |= {"count": call.counts, "metered": call.metered}
    kinds |= {"other": not (call.generates or call.counted or call.counts)}
    assert [name for name, holds in kinds.items() if holds] == [kind]
    assert call.path_with(None) == found
    assert calls.call(call.path_with(model)).model == model


def test_no_post_that_generates_is_free():
    """What a model answers, or may, costs: only a count and what stores a file do not."""
    for verb, free in (
        ("generateContent", False),
        ("streamGenerateContent", False),
        ("embedContent", False),
        ("batchEmbedContents", False),
        ("batchGenerateContent", False),
        ("predict", False),
        ("countTokens", True),
    ):
        assert calls.is_free(f"/v1beta/models/m:{verb}", "POST") is free, verb
    for path in ("/v1beta/interactions", "/v1beta/cachedContents", "/v1beta/models/m:somethingNew"):
        assert not calls.is_free(path, "POST")


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("/v1beta/models", ""),
        ("/v1beta/models/llama3:8b", "llama3:8b"),
        ("/v1/models", ""),
        ("/v1/models/a/b", "a/b"),
        ("/v1beta/models/m:generateContent", None),
        ("/v1/models/m:generateContent", None),
        ("/v1beta/files", None),
        ("/v1beta/models/m/operations/o1", None),
    ],
)
def test_the_list_and_one_model(path, listed):
    """A name with a colon is no verb; a path with a verb asks about no model."""
    assert calls.find_listed(calls.canonical(path)) == listed


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1beta/files/f", "gemini"),
        ("/v1alpha/cachedContents", "gemini"),
        ("/upload/v1beta/files", "gemini"),
        ("/v1/interactions/i", "gemini"),
        ("/v1beta/openai/chat/completions", "chat"),
        ("/v1beta/openai/embeddings", None),
        ("/v1/files", None),
    ],
)
def test_other_paths(path, wanted):
    """Google's further collections are its own; its endpoint for OpenAI's clients is theirs."""
    assert calls.call(calls.canonical(path)).protocol == wanted


def test_paths_of_no_api():
    """The version alone, and paths that only resemble one, lead nowhere."""
    for path in ("/v1beta", "/v1beta/", "/v1betax/models", "/v2beta/models/m:generateContent", "/upload/files"):
        assert calls.canonical(path) is None


@pytest.mark.parametrize("name", ["a//b", "../a", "a/..", ".", "a?b", "a#b", "a%b", "a\x01b", "a\u202eb", "/a", "a/"])
def test_names_that_cannot_stand_in_a_path(name):
    """A name that servers could read as another path is refused."""
    with pytest.raises(BadRequest):
        paths.check_name(name)


@given(
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), verb=st.sampled_from(("generateContent", "x"))
)
def test_any_name_comes_back(name, verb):
    """Any name put into the path is read back from it, or refused; its path has one spelling."""
    path = GEMINI.path_for(name, stream=False)
    assert path.isascii()
    found = calls.call(path)
    assert found.model == name or name.startswith(("models/", "tunedModels/", "/"))


@pytest.mark.parametrize(
    ("root", "joined"),
    [
        ("https://g.example/v1beta", "https://g.example/v1/models/m:x"),
        ("https://g.example/v1", "https://g.example/v1/models/m:x"),
        ("https://g.example/base/v1beta/", "https://g.example/base/v1/models/m:x"),
        ("https://g.example/gateway", "https://g.example/gateway/v1/models/m:x"),
        ("/v1beta", "/v1/models/m:x"),
        (
            "https://v.example/v1/projects/p/publishers/google",
            "https://v.example/v1/projects/p/publishers/google/models/m:x",
        ),
        ("", "/v1/models/m:x"),
    ],
)
def test_the_callers_version_counts(root, joined):
    """The version of the root gives way to the one that the caller asked for."""
    assert paths.join_root(root, "/v1/models/m:x") == joined


@pytest.mark.parametrize(
    ("query", "key", "rest"),
    [
        (b"key=abc", b"abc", b""),
        (b"alt=sse&key=a%2Bb&x=1", b"a+b", b"alt=sse&x=1"),
        (b"key=one&key=two", b"one", b""),
        (b"key=", b"", b""),
        (b"key=%00", b"", b""),
        (b"monkey=1", b"", b"monkey=1"),
    ],
)
def test_a_key_is_taken_out_of_the_query(query, key, rest):
    """The first value counts, none stays, and what cannot stand in a header is no key."""
    assert take_key(query) == (key, rest)


def test_a_parameter_is_replaced():
    """Every spelling of the name goes."""
    assert replace_parameter(b"%24alt=json&a=1&alt=media", ("alt", "$alt"), b"alt=sse") == b"a=1&alt=sse"
    assert replace_parameter(b"", ("alt",), b"alt=sse") == b"alt=sse"
