"""Keys and references to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.store.secrets import check_key, check_variable, describe, resolve


def test_reference_is_resolved_when_needed():
    """`env:NAME` is the variable's value now; anything else is the key itself."""
    assert resolve("env:MY_KEY", {"MY_KEY": "sk-1"}).reveal() == "sk-1"
    assert resolve("sk-2", {}).reveal() == "sk-2"


@pytest.mark.parametrize(("environ", "state"), [({}, "not set"), ({"MY_KEY": ""}, "empty")])
def test_missing_variable_is_named(environ, state):
    """A variable that is missing or empty is an error that names it."""
    with pytest.raises(CommandError, match=rf"\$MY_KEY is {state}"):
        resolve("env:MY_KEY", environ)


@pytest.mark.parametrize("form", ["file:/a/b", "cmd:pass show x", "keyring:groq"])
def test_unknown_reference_is_no_key(form):
    """A reference of a form this version cannot read is refused, never sent as a key."""
    with pytest.raises(CommandError, match="which this version cannot read"):
        resolve(form, {})
    assert "cannot read" in describe(form, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("sk-secret\nx-evil: 1", "more than one line"),
        ("sk-secret\r\nx", "more than one line"),
        ("sk secret", "space"),
        ("sk-\x00secret", "control character"),
        ("sk-\x1bsecret", "control character"),
        ("sk-sécret", "not ASCII"),
        ("s" * 20000, "longer than"),
    ],
)
def test_bad_key_is_refused_without_showing_it(text, fault):
    """What no header can carry is refused, and the error does not repeat it."""
    with pytest.raises(CommandError, match=fault) as refused:
        check_key(text)
    assert "secret" not in f"{refused.value} {refused.value.hint}"


def test_line_end_and_mark_of_a_pipe_are_dropped():
    """The line end of `echo`, and the byte order mark some shells add, are not part of a key."""
    assert check_key("\ufeffsk-1\r\n") == "sk-1"


@given(st.text())
def test_accepted_key_fits_a_header(text):
    """Whatever is accepted as a key is visible ASCII."""
    try:
        key = check_key(text)
    except CommandError:
        return
    assert key
    assert all("!" <= char <= "~" for char in key)


@pytest.mark.parametrize("name", ["", "$KEY", "A=b", "1A", "A B", "A\n"])
def test_bad_variable_name_is_refused(name):
    """What cannot be a variable's name is refused when it is given, not when a request needs it."""
    with pytest.raises(CommandError, match="no name of an environment variable"):
        check_variable(name)


def test_description_never_holds_a_key():
    """Lists say where a key comes from."""
    assert describe("env:A_KEY", {"A_KEY": "sk-1"}) == "key from $A_KEY (set)"
    assert describe("env:A_KEY", {}) == "key from $A_KEY (not set)"
    assert describe("sk-secret", {}) == "key stored"
