"""Configured edits of headers: which may be made, which wins, and the notes on each."""

import pytest

from router.settings.tables import BackendOptions, Edits
from router.upstream.configured_headers import header_changes, set_headers


def changes(*edits, present=()):
    """The changes, and the notes on them."""
    notes = []
    found = header_changes(edits, dict.fromkeys(present, b"x"), notes)
    return found, notes


@pytest.mark.parametrize(
    ("edits", "present", "found", "notes"),
    [
        ({"set_headers": {"X-Team": "a b"}}, (), {b"x-team": (b"X-Team", b"x-team", b"a b")}, ["header X-Team set"]),
        ({"remove_headers": ("X-Team",)}, (b"x-team",), {b"x-team": None}, ["header x-team removed"]),
        ({"remove_headers": ("X-Team",)}, (), {b"x-team": None}, []),
        ({}, (b"x-team",), {}, []),
    ],
    ids=["set", "removed", "not there", "nothing"],
)
def test_a_header_is_set_or_removed(edits, present, found, notes):
    """Its name is spelled as configured; a removal is noted only where there was something to remove."""
    made, said = changes(Edits(**edits), present=present)
    assert made == found
    assert [note.lower() for note in said] == [note.lower() for note in notes]


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        (Edits(set_headers={"X-A": "1"}), Edits(set_headers={"x-a": "2"}), b"2"),
        (Edits(set_headers={"X-A": "1"}), Edits(remove_headers=("x-a",)), None),
        (Edits(remove_headers=("X-A",)), Edits(set_headers={"x-a": "2"}), b"2"),
    ],
)
def test_the_later_edits_win(first, second, value):
    """Whatever the case of the names."""
    line = changes(first, second)[0][b"x-a"]
    assert (line and line[2]) == value


def test_what_is_set_wins_over_what_is_removed():
    """Within one table."""
    found, _ = changes(Edits(set_headers={"X-A": "1"}, remove_headers=("X-A",)))
    assert found == {b"x-a": (b"X-A", b"x-a", b"1")}


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "x-api-key",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Content-Type",
        "Content-Encoding",
        "Accept-Encoding",
        "X-Fairlead-Tag",
        "bad name",
        "bad:name",
        "",
        "x" * 257,
    ],
)
def test_a_header_that_may_not_be_changed(name):
    """It is neither set nor removed, and the notes say so."""
    for edits in (Edits(set_headers={name: "x"}), Edits(remove_headers=(name,))):
        assert changes(edits, present=(name.lower().encode(),)) == ({}, [f"header {name} left alone"])


@pytest.mark.parametrize("value", ["", " x", "x ", "a\r\nX-B: c", "a\nb", "a\x00b", "caf\u00e9", "a\x7f"])
def test_a_value_that_could_not_be_sent(value):
    """It would end the line, or be no value at all."""
    assert changes(Edits(set_headers={"X-A": value})) == ({}, ["header X-A left alone"])


@pytest.mark.parametrize("value", ["x", "a\tb", "a b", "x" * 5000, "!~"])
def test_a_value_that_can_be_sent(value):
    """It goes out as it is."""
    assert changes(Edits(set_headers={"X-A": value}))[0][b"x-a"][2] == value.encode()


def test_what_every_request_to_a_backend_carries():
    """The headers of its table by lower-case name, without those that may not be set; none without a table."""
    edits = Edits(set_headers={"X-Team": "a", "Host": "b", "X-Bad": "\n"}, remove_headers=("X-Gone",))
    assert set_headers(BackendOptions(edits=edits)) == {"x-team": "a"}
    assert set_headers(BackendOptions()) == {}
    assert set_headers(None) == {}
