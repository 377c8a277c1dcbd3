"""Keys as commands name them, and what of a file is shown."""

import pytest

from router.errors import CommandError
from router.settings import DECLARATIONS
from router.settings.keys import find_key, match_spelling, redact
from router.settings.tables import BACKENDS


def test_every_setting_has_its_key():
    """And leads to the path that the file has for it."""
    for entry in DECLARATIONS:
        key = find_key(entry.key)
        assert key.path == tuple(entry.key.split("."))
        assert key.declaration is entry
    for entry in BACKENDS:
        if entry.kind.form != "table":
            assert find_key(f"backends.Groq.{entry.key}").path == ("backends", "groq", *entry.key.split("."))


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("aliases.gpt-4.1", "a:b", ("aliases", "gpt-4.1"), "a:b"),
        ("aliases.FAST", "x", ("aliases", "fast"), "x"),
        ("backends.groq.set_headers.X-Title", "a b", ("backends", "groq", "set_headers", "X-Title"), "a b"),
        ("backends.groq.set_fields.a.b", "[1]", ("backends", "groq", "set_fields", "a.b"), [1]),
        ("backends.groq.remove_headers", "a, b", ("backends", "groq", "remove_headers"), ["a", "b"]),
        ("backends.groq.max_tokens", "5", ("backends", "groq", "max_tokens"), 5),
        ("prices.gpt-4.1.input", "2.5", ("prices", "gpt-4.1", "input"), 2.5),
        ("prices.a.b.cache_read", "1", ("prices", "a.b", "cache_read"), 1.0),
        ("losses.messages.content", "Silent", ("losses", "messages.content"), "silent"),
        ("backends.groq.profile.tool_images", "true", ("backends", "groq", "profile", "tool_images"), True),
        ("backends.groq.profile.shapes", '["json_object"]', ("backends", "groq", "profile", "shapes"), ["json_object"]),
        ("usage_probe", "off", ("usage_probe",), False),
        ("timeouts.idle", " 2m ", ("timeouts", "idle"), "2m"),
    ],
)
def test_keys_of_tables(name, text, path, value):
    """Names may hold dots; the value is what the file gets."""
    key = find_key(name)
    assert (key.path, key.read(text)) == (path, value)


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("timouts.idle", "unknown setting timouts.idle", "timeouts.idle"),
        ("timeouts", "unknown setting timeouts", "timeouts.idle"),
        ("qwertz", "unknown setting qwertz", "config show"),
        ("", "unknown setting .", "config show"),
        ("aliases", "unknown setting aliases", "aliases.NAME"),
        ("aliases.", "unknown setting", ""),
        ("backends", "unknown setting backends", "backends.NAME.KEY"),
        ("backends.groq", "backends.groq", ""),
        ("backends.groq.idle", "unknown setting", "backends.groq.timeouts.idle"),
        ("backends.groq.set_headers", "unknown setting", "set_headers.NAME"),
        ("backends.a b.usage_probe", '"a b" is not a valid name of a backend', ""),
        ("backends.groq.set_headers.Host", "cannot be used: fairlead writes it itself", ""),
        ("backends.groq.set_fields.model", "cannot be used", ""),
        ("prices.gpt-4.1", "unknown setting", "prices.gpt-4.input"),
        ("prices.m.inptu", "unknown setting", "prices.m.input"),
        ("routes.1.model", "rules cannot be set one by one", "config edit"),
        ("a\x1b[0m", "unknown setting a\\u001b[0m", ""),
    ],
)
def test_what_is_no_key(name, said, hint):
    """It is said, with the nearest one."""
    with pytest.raises(CommandError) as caught:
        find_key(name)
    assert said in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("port", "x", 'port is "x"; expected a port number'),
        ("api_key", "hidden key", "api_key is set; expected"),
        ("backends.g.set_headers.x-a", "hidden\n", "backends.g.set_headers.x-a is set; expected"),
        ("backends.g.remove_headers", "Host", 'remove_headers is "Host", which cannot be used: fairlead writes'),
        ("aliases.a", "", 'aliases.a is ""; expected'),
    ],
)
def test_values_that_are_refused(name, text, said):
    """As in the file; a secret is not shown."""
    with pytest.raises(CommandError) as caught:
        find_key(name).read(text)
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_names_are_found_as_they_are_spelled():
    """The user's own names only: declared keys have one spelling."""
    tree = {"aliases": {"Fast": "x"}, "backends": {"Groq": {"set_headers": {"X-A": "1"}}}, "Port": 1}
    assert match_spelling(("aliases", "fast"), tree) == ("aliases", "Fast")
    assert match_spelling(("backends", "groq", "set_headers", "x-a"), tree) == (
        "backends",
        "Groq",
        "set_headers",
        "X-A",
    )
    assert match_spelling(("backends", "new", "timeouts"), tree) == ("backends", "new", "timeouts")
    assert match_spelling(("port",), tree) == ("port",)


LONG = "Ab1" * 20


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("api_key",), "k"),
        (("openai_api_key",), "k"),
        (("future", "token"), "k"),
        (("thing",), "sk-1234"),
        (("thing",), LONG),
        (("backends", "g", "set_headers", "X-Auth"), "k"),
        (("backends", "g", "set_headers", "x-thing"), "Bearer k"),
        (("routes", 0, "set_fields", "user.password"), "k"),
        (("backends", "g", "secret_thing"), "gsk_1"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(path, value):
    """By its key, its name or its form."""
    assert redact(path, value) == "set"
    assert redact(path, [value]) == ["set"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("aliases", "token"), "openrouter:some-vendor/" + "long-model-name" * 4),
        (("backends", "g", "max_tokens"), 5),
        (("routes", 0, "when", "tokens_over"), 5),
        (("routes", 0, "name"), "the key rule"),
        (("backends", "g", "set_headers", "X-Title"), "mine"),
        (("require_key",), "on"),
        (("future",), True),
        (("future",), ["a", 1]),
    ],
)
def test_what_is_no_secret_is_shown(path, value):
    """Values that are no secrets are shown, so that users can read their own configuration."""
    assert redact(path, value) == value


@pytest.mark.parametrize("table", ["set_headers", "set_header", "headers", "Set-Headers"])
def test_values_of_headers_are_not_shown(table):
    """Also below a misspelled key: only those of headers that are known to be harmless, in a backend's table, a rule,
    and as a whole table."""
    for path in (("backends", "box", table), ("routes", 0, table), (table,)):
        assert redact((*path, "X-Word"), "swordfish") == "set"
        assert redact((*path, "X-Title"), "My tool") == "My tool"
    whole = {"box": {table: {"X-Word": "swordfish", "anthropic-beta": "context-1m-2025-08-07"}, "rpm": 5}}
    assert redact(("backends",), whole) == {
        "box": {table: {"X-Word": "set", "anthropic-beta": "context-1m-2025-08-07"}, "rpm": 5}
    }
    assert redact(("backends", "box", "remove_headers"), ["x-word"]) == ["x-word"]
