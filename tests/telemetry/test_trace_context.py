"""W3C trace context: which callers' values count, and what listed hosts get."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.telemetry.trace_context import PARENT, STATE, find_ids, is_listed, make_lines, parse_parent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01".encode()
# As the recommendation has it, for version 00.
VALID = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (GIVEN, True),
        (GIVEN[:-2] + b"00", True),
        # A later version may say more; version 00 may not.
        (b"cc" + GIVEN[2:], True),
        (b"cc" + GIVEN[2:] + b"-what", True),
        (b"cc" + GIVEN[2:] + b".what", False),
        (GIVEN + b"-what", False),
        (b"ff" + GIVEN[2:], False),
        (GIVEN.upper(), False),
        (b"00-" + b"0" * 32 + GIVEN[35:], False),
        (GIVEN[:36] + b"0" * 16 + b"-01", False),
        (GIVEN[:-1], False),
        (b"", False),
    ],
)
def test_which_parents_count(value, valid):
    """Those that the recommendation allows; others are as if they had not come."""
    assert (parse_parent(value) is not None) == valid


@given(st.one_of(st.binary(max_size=70), st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")))
def test_a_parent_of_version_00_is_what_the_recommendation_says(value):
    """No other text of that version is taken, and none of it is refused."""
    if value[:2] == b"00":
        assert (parse_parent(value) is not None) == bool(VALID.fullmatch(value))
    else:
        parse_parent(value)


def test_a_request_continues_the_callers_trace():
    """The caller's span is its parent, and whether the trace is kept is the caller's word."""
    ids = find_ids("req_1", GIVEN)
    assert (ids.trace, ids.parent, ids.sampled) == (TRACE, SPAN, True)
    assert not find_ids("req_1", GIVEN[:-2] + b"00").sampled
    root = find_ids("req_1", b"nonsense")
    assert root.parent == ""
    assert root.sampled
    assert root.span == ids.span != find_ids("req_2", GIVEN).span


@pytest.mark.parametrize("given", [GIVEN, b"", b"nonsense"])
def test_what_a_listed_host_gets(given):
    """A valid parent: the span of fairlead where one is exported, else the caller's own or nothing."""
    fields = {PARENT: given, STATE: b"vendor=1"} if given else {}
    lines = {name: value for _, name, value in make_lines("req_1", fields, exported=True)}
    ids = find_ids("req_1", given)
    assert parse_parent(lines[PARENT]) == (ids.trace, ids.span, True)
    relayed = {name: value for _, name, value in make_lines("req_1", fields, exported=False)}
    valid = given == GIVEN
    assert relayed == ({PARENT: GIVEN, STATE: b"vendor=1"} if valid else {})
    assert lines.get(STATE) == (b"vendor=1" if valid else None)


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        (b"gateway.example", True),
        (b"Gateway.Example:8443", True),
        (b"[::1]:4000", True),
        (b"other.example", False),
        (b"gateway.example.evil", False),
        (b"evil-gateway.example", False),
        (b"pinned.example:81", False),
        (b"pinned.example:80", True),
    ],
)
def test_which_hosts_are_listed(host, listed):
    """A listed host is meant with any port, unless it is listed with one."""
    assert is_listed(host, ("gateway.example", "::1", "pinned.example:80")) == listed
