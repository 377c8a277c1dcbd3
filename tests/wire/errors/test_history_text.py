"""The text of an error: what each form of body says, without advice, in one short line."""

import pytest

from router.wire.errors.history_text import (
    ERROR_BYTES,
    READ_LIMIT,
    drop_advice,
    find_title,
    is_markup,
    read_error_text,
    shorten,
)

from ...growth import grows_evenly


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"type":"error","error":{"type":"x","message":"Overloaded"}}', "Overloaded"),
        (b'{"error":{"message":"no such\\nmodel","code":"model_not_found"}}', "no such model"),
        (b'{"error":"model not loaded"}', "model not loaded"),
        (b'{"type":"response.failed","response":{"error":{"code":"x","message":"failed"}}}', "failed"),
        (b'{"detail":"Not authenticated"}', "Not authenticated"),
        (b'{"message":"Forbidden"}', "Forbidden"),
        (b'{"error":{"message":""}}', ""),
        (b'{"error":{"message":7}}', ""),
        (b"{}", ""),
        (b"", ""),
        (b"<html><head><title>502 Bad\n Gateway</title></head>", "502 Bad Gateway"),
        (b"<html><body>no title</body>", ""),
        (b"upstream \xff timed out", "upstream \N{REPLACEMENT CHARACTER} timed out"),
        (b"x" * 10_000, "x" * 4096),
    ],
)
def test_what_a_body_says(body, text):
    """The message of any protocol's form, the title of a page, or the text itself."""
    assert read_error_text(body) == text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("It is down.", "It is down."),
        ("No backend serves 'm'. Add one: fairlead backend add NAME", "No backend serves 'm'."),
        ("No key. `fairlead env` prints it. Send it as x-api-key.", "No key. Send it as x-api-key."),
        ("fairlead is stopping; send it again.", "fairlead is stopping; send it again."),
        ("The model 'gpt-5.1' has no price. Set one:   fairlead config set x 1", "The model 'gpt-5.1' has no price."),
        ("Run fairlead proxy.", "Run fairlead proxy."),
    ],
)
def test_without_advice(message, text):
    """Later sentences that name a command are left out; what is wrong stays."""
    assert drop_advice(message) == text


def test_the_bound():
    """It is of bytes, and no character is cut."""
    assert shorten("a" * ERROR_BYTES) == "a" * ERROR_BYTES
    short = shorten("\N{EURO SIGN}" * ERROR_BYTES)
    assert len(short.encode()) <= ERROR_BYTES
    assert short.strip("\N{EURO SIGN}") == "..."


@pytest.mark.parametrize("piece", [b"<title>", b"<title", b"<title></titl", b"<", b" "])
def test_a_title_without_an_end(piece):
    """Whatever a page repeats, only its beginning is looked at, and each part once."""

    def read(page):
        assert find_title(page) in (None, "")
        assert read_error_text(page) == ""
        assert is_markup(page)

    grows_evenly(lambda size: b"<html>" + piece * (size // len(piece)), read, READ_LIMIT // 4)
    grows_evenly(lambda size: b"<html>" + piece * (size // len(piece)), read, 1 << 20)


def test_a_title_of_a_later_part():
    """A title that is not whole within the beginning of a page is none."""
    assert find_title(b"<TITLE lang='en'>Sorry</Title>") == "Sorry"
    assert find_title(b" " * READ_LIMIT + b"<title>Sorry</title>") is None
    assert find_title(b"<title>" + b" " * READ_LIMIT + b"</title>") is None
