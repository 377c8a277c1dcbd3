"""Family shortcuts go to the newest model of the live catalogs, pins to one version for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.backends import Backend
from router.policy.routing.family_shortcuts import FAMILIES, collect_shortcuts, parse_shortcut, parse_version

PLAIN = 10**9 + 1
LATEST = 10**9


def backend(name, *protocols):
    return Backend(name=name, root="https://h/v1", protocols=protocols or ("messages", "chat"))


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("claude-opus-4-8", ("opus", (4, 8), PLAIN)),
        ("claude-opus-5", ("opus", (5,), PLAIN)),
        ("claude-opus-4-20250514", ("opus", (4,), 20250514)),
        ("claude-opus-4-0", ("opus", (4,), PLAIN)),
        ("claude-opus-4-1-20250805", ("opus", (4, 1), 20250805)),
        ("claude-opus-4-10", ("opus", (4, 10), PLAIN)),
        ("claude-sonnet-4.5", ("sonnet", (4, 5), PLAIN)),
        ("claude-sonnet-4-5-latest", ("sonnet", (4, 5), LATEST)),
        ("claude-opus-latest", ("opus", (1_000_000,), LATEST)),
        ("claude-3-opus-20240229", ("opus", (3,), 20240229)),
        ("claude-3-5-sonnet-latest", ("sonnet", (3, 5), LATEST)),
        ("claude-3-5-sonnet@20241022", ("sonnet", (3, 5), 20241022)),
        ("anthropic/claude-opus-4.8", ("opus", (4, 8), PLAIN)),
        ("Claude-Opus-5", ("opus", (5,), PLAIN)),
        ("gpt-5", ("gpt", (5,), PLAIN)),
        ("gpt-4o", ("gpt", (4, 0, 1), PLAIN)),
        ("gpt-4o-2024-08-06", ("gpt", (4, 0, 1), 20240806)),
        ("gpt-4.1-mini", ("gpt-mini", (4, 1), PLAIN)),
        ("openai/gpt-5-nano", ("gpt-nano", (5,), PLAIN)),
        ("gemini-2.5-pro", ("gemini-pro", (2, 5), PLAIN)),
        ("gemini-2.5-flash", ("gemini-flash", (2, 5), PLAIN)),
        ("grok-4", ("grok", (4,), PLAIN)),
    ],
)
def test_a_name_is_read(model, wanted):
    """Family, version and stamp; a vendor's path in front and capitals aside."""
    assert parse_version(model) == wanted


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-5:thinking",
        "claude-opus-5-fast",
        "claude-opus-5[1m]",
        "claude-instant-1",
        "my-claude-opus-5",
        "gpt-4-turbo",
        "gpt-5-codex",
        "gpt-4o-audio",
        "gemini-2.5-flash-lite",
        "o3",
        "opus",
        "claude-",
        "",
        "/",
        "claude-opus-4-8-9-10",
    ],
)
def test_a_variant_is_no_model_of_the_family(model):
    """A family stands for its plain model."""
    assert parse_version(model) is None


def newest(name, catalogs, protocol="messages", only=None):
    backends = [backend(one) for one in catalogs]
    chosen = None if only is None else [one for one in backends if one.name == only]
    return collect_shortcuts(backends, catalogs).newest(name, protocol, chosen)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("claude-opus-4-8", "claude-opus-5"),
        ("claude-opus-4-9", "claude-opus-4-10"),
        ("claude-opus-4-20250514", "claude-opus-4-1-20250805"),
        ("claude-3-opus-20240229", "claude-opus-4-20250514"),
        ("claude-opus-4-8-20260101", "claude-opus-4-8-20260301"),
        ("claude-opus-4-8-20260301", "claude-opus-4-8-latest"),
        ("claude-opus-4-8-latest", "claude-opus-4-8"),
        ("claude-opus-5", "claude-opus-latest"),
    ],
)
def test_the_newer_one_is_taken(older, newer):
    """Wherever it stands in the catalog."""
    assert newest("opus", {"a": [older, newer]}) == newer
    assert newest("OPUS[1m]", {"a": [newer, older]}) == newer


def test_a_pin_never_floats():
    """`opus46` is 4.6 and nothing else, however new the others are; without it there is nothing."""
    catalog = ["claude-opus-4-6-20260101", "claude-opus-4-60", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-4-6"]
    for name in ("opus46", "opus4.6", "opus-4-6", "opus_4_6", "Opus4.6", "opus46[1m]"):
        assert newest(name, {"a": catalog}) == "claude-opus-4-6-20260101"
    assert newest("opus5", {"a": catalog}) == "claude-opus-5"
    assert newest("opus4", {"a": catalog}) is None
    assert newest("opus47", {"a": catalog}) is None
    assert newest("opus460", {"a": catalog}) == "claude-opus-4-60"
    assert newest("opus10", {"a": ["claude-opus-10"]}) == "claude-opus-10"
    assert newest("opus1.0", {"a": ["claude-opus-10"]}) is None


def test_of_one_version_the_native_backend_is_taken():
    """A backend that speaks the caller's protocol first, then the one added first, then the plain name."""
    first, second = backend("first", "chat"), backend("second", "messages")
    catalogs = {
        "first": ["anthropic/claude-opus-5"],
        "second": ["claude-opus-5-20260101", "claude-opus-5-20260301"],
    }
    found = collect_shortcuts([first, second], catalogs)
    assert found.newest("opus", "messages") == "claude-opus-5-20260301"
    assert found.newest("opus", "chat") == "anthropic/claude-opus-5"
    assert found.newest("opus", "responses") == "anthropic/claude-opus-5"
    assert found.newest("opus", None) == "anthropic/claude-opus-5"


def test_one_backend_s_newest():
    """Behind a prefix only that backend's models count."""
    catalogs = {"a": ["claude-opus-5"], "b": ["claude-opus-4-8"], "c": []}
    assert newest("opus", catalogs, only="b") == "claude-opus-4-8"
    assert newest("opus", catalogs, only="c") is None
    assert newest("opus", {}) is None


@pytest.mark.parametrize("name", ["claude-opus-5", "opusplan", "myopus", "opus:1", "opus46x", "opus4 6", "", "[1m]"])
def test_other_names_are_no_shortcuts(name):
    """Nor is anything that merely begins like one."""
    assert parse_shortcut(name) is None


@given(st.text(max_size=20))
def test_any_text_can_be_read(text):
    """A catalog is a stranger's text."""
    found = parse_version(text)
    assert found is None or found[0] in FAMILIES
    parse_shortcut(text)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, unique=True))
def test_versions_are_ordered_as_numbers(versions):
    """Whatever their order in the catalog."""
    catalog = [f"claude-sonnet-{major}-{minor}" for major, minor in versions]
    major, minor = max(versions)
    assert newest("sonnet", {"a": catalog}) == f"claude-sonnet-{major}-{minor}"
