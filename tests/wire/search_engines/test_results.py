"""What a search engine found is hostile text: bounded, and without characters that hide or control anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ir import WebPage
from router.wire.search_engines.results import (
    ADDRESS_LIMIT,
    TEXT_LIMIT,
    TITLE_LIMIT,
    Result,
    format_results,
    make_result,
    tidy,
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\x1b[31mb", "a[31mb"),
        ("a\r\nb\tc  d", "a b c d"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("a\ud800b", "ab"),
        ("\U000e0041tag", "tag"),
        ("Ümlaut 漢字 🙂", "Ümlaut 漢字 🙂"),
        (7, ""),
        (None, ""),
    ],
)
def test_texts_are_tidied(given, kept):
    """Controls, marks of direction and invisible characters go; letters of every alphabet stay."""
    assert tidy(given, 100) == kept


@given(st.text(), st.integers(0, 50))
def test_texts_are_bounded(text, limit):
    """In bytes of UTF-8, and a character is never cut; what is tidy stays as it is."""
    found = tidy(text, limit)
    assert len(found.encode()) <= limit
    assert tidy(found, limit) == found.strip()


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.com", "//a.com/x", "a.com", ""),
        *("https://", "https://a.com/a b", "https://a.com/\x1b", "https://[a", "https://a.com/" + "x" * ADDRESS_LIMIT),
        *(None, 7, ["https://a.com"]),
    ],
)
def test_addresses_that_are_not_passed_on(url):
    """Only web addresses, and those that are whole."""
    assert make_result(url, "t", "x") is None


def test_a_large_result_is_cut():
    """A page may quote megabytes."""
    found = make_result("HTTPS://a.com/x?y#z", "t" * 10**6, "ü" * 10**6)
    assert found is not None
    assert found.page.url == "HTTPS://a.com/x?y#z"
    assert (len(found.page.title), len(found.text.encode())) == (TITLE_LIMIT, TEXT_LIMIT)


def test_results_as_text():
    """A numbered list that says whose words these are; a search that found nothing says so."""
    found = [Result(WebPage("https://a.com", "A", "2 days"), "said"), Result(WebPage("https://b.com"), "")]
    lines = format_results("q", found).splitlines()
    assert '"q"' in lines[0]
    assert lines[2:] == ["1. A (2 days)", "   https://a.com", "   said", "", "2. https://b.com", "   https://b.com"]
    assert "found nothing" in format_results("q", [])
