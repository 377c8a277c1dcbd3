"""Which requests a filter fits, word by word."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.store.history.read_requests import RECORDED
from router.watch.request_filter import FIELDS, LIMIT, NUMBERS, TEXTS, UnknownFilter, parse_filter


def recorded(**fields):
    """A request of a history; what is not named is not known."""
    lists = {"losses": [], "notes": [], "tries": []}
    numbers = dict.fromkeys(("status", "attempts", "queue_ms", "total_ms", "time"), 0)
    empty = dict.fromkeys(("id", "client", "protocol", "method", "path", "model", "served_model", "backend"), "")
    empty |= dict.fromkeys(("account", "error", "price", "billing", "tag"), "")
    whole = {**dict.fromkeys(RECORDED.__struct_fields__), **lists, **numbers, **empty, "stream": False, **fields}
    return RECORDED(**{"estimated": False, **whole})


_LEAST = dict.fromkeys(("first", "total"), "1ms") | {"queued": "1ms"}
OPUS = recorded(
    queue_ms=20,
    id="req_1a",
    time=1.0,
    client="claude-code",
    protocol="messages",
    model="claude-opus-5",
    served_model="anthropic/claude-opus-5",
    backend="openrouter",
    account="work",
    status=200,
    attempts=2,
    total_ms=41_200.0,
    first_byte_ms=812.0,
    tokens_in=1840,
    cache_read=96_210,
    cache_write=3100,
    tokens_out=2205,
    cost_usd=0.142,
    key="laptop",
    request_class="subagent",
    route="default claude",
)
FAILED = recorded(
    id="req_2b",
    client="curl",
    model="demo-500",
    status=502,
    error="api_error",
    error_text="Overloaded",
    total_ms=3.0,
)


@pytest.mark.parametrize(
    ("text", "opus", "failed"),
    [
        ("", True, True),
        ("   ", True, True),
        ("model:opus", True, False),
        ("MODEL:Opus", True, False),
        ("model:anthropic/", True, False),
        ("opus", True, False),
        ("!opus", False, True),
        ("demo", False, True),
        ("overloaded", False, True),
        ("status:200", True, False),
        ("status:5xx", False, True),
        ("status:5XX", False, True),
        ("!status:5xx", True, False),
        ("status:ok", True, False),
        ("status:error", False, True),
        ("status:none", False, False),
        ("status>=500", False, True),
        ("client:claude model:opus", True, False),
        ("client:curl model:opus", False, False),
        ("account:openrouter/work", True, False),
        ("class:subagent", True, False),
        ('route:"default claude"', True, False),
        ("route:'default claude' opus", True, False),
        ('"claude-opus"', True, False),
        ('!error:"over loaded"', True, True),
        ("cost>0.1", True, False),
        ("cost>$0.1", True, False),
        ("cost<0.1", False, False),
        ("!cost>0.1", False, True),
        ("in>100k", True, False),
        ("in>101.2k", False, False),
        ("out>=2205", True, False),
        ("out>2205", False, False),
        ("cached>90%", True, False),
        ("first<1s", True, False),
        ("total>800ms", True, False),
        ("total<800ms", False, True),
        ("attempts>1", True, False),
        ("queued>10ms", True, False),
        ("key:laptop", True, False),
        ("tag:x", False, False),
    ],
)
def test_what_fits(text, opus, failed):
    """Every word must fit; `!` turns one round; what is not known fits no comparison."""
    asked = parse_filter(text)
    assert (asked.fits(OPUS), asked.fits(FAILED)) == (opus, failed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle:opus", "the nearest is model"),
        ("zzz:opus", "the fields are id, model"),
        ("status:6xx", 'status is "6xx"'),
        ("status:often", 'status is "often"'),
        ("cost:1", "compare it, as cost>0.10"),
        ("attempts:1", "compare it, as attempts>10"),
        ("model>opus", "look for a part of it, as model:opus"),
        ("cost>much", "an amount of US dollars"),
        ("total>soon", "a number with a unit"),
        ("cached>half", "a share such as 50%"),
        ("in>1e999", "a number such as"),
        ("model:", "has no value"),
        ("!", "has no value"),
        ('""', "an empty word"),
        ('model:"opus', 'a " is not closed'),
        ("x" * (LIMIT + 1), "more than 1,000 characters"),
    ],
)
def test_what_cannot_be_read(text, said):
    """It is said what is wrong, and what would be right."""
    with pytest.raises(UnknownFilter, match=re.escape(said)):
        parse_filter(text)


def test_every_field_can_be_asked_for():
    """Each field that is named in the help finds what a request has in it, and nothing in one that lacks it."""
    for field in TEXTS:
        assert not parse_filter(f"{field}:zzz").fits(OPUS)
    for field in NUMBERS:
        assert not parse_filter(f"{field}<{_LEAST.get(field, '0')}").fits(OPUS), field
        assert parse_filter(f"!{field}<{_LEAST.get(field, '0')}").fits(OPUS), field
    assert set(FIELDS) == {*TEXTS, *NUMBERS}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """No filter raises anything else, nor does a request that it is asked of."""
    try:
        asked = parse_filter(text)
    except UnknownFilter:
        return
    assert asked.fits(OPUS) in (True, False)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\"'"), min_size=1, max_size=40))
def test_a_word_in_quotes_is_found_as_it_is(text):
    """Spaces, colons and signs in quotes belong to the text."""
    found = recorded(id="req_3", model=f"a {text} b", status=200)
    assert parse_filter(f'model:"{text}"').fits(found)
    assert not parse_filter(f'!model:"{text}"').fits(found)
