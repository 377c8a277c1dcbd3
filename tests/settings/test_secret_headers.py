"""What is shown as `set` of headers that the user configured."""

import pytest

from router.settings.secret_headers import is_hidden_in_texts, is_secret_header, looks_like_key


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("X-Api-Key", "short", True),
        ("CF-Access-Client-Secret", "abc", True),
        ("X-Gateway", "Bearer abc", True),
        ("X-Gateway", "sk-abc", True),
        ("X-Gateway", "0a1b2c3d4e5f6a7b", True),
        ("X-Gateway", "7c9e.6679/7425+40de=", True),
        ("X-Title", "OpenHands", False),
        ("X-Title", "My program of 2026, second edition", False),
        ("HTTP-Referer", "https://example.com/a1b2c3d4e5f6", False),
        ("anthropic-beta", "context-management", False),
        ("anthropic-beta", "context-1m-2025-08-07", False),
        ("User-Agent", "my-program/2.0", False),
        ("X-Title", "sk-abc", True),
        ("X-Title", "0a1b2c3d4e5f6a7b", True),
        ("X-Team", "12345678901234567890", True),
        ("X-Org-Pass", "hunter2hunter2", True),
        ("X-Gateway", "swordfish", True),
    ],
)
def test_a_header_that_may_hold_a_secret(name, value, secret):
    """Each but the few known to be harmless, and those too when the value looks like a key."""
    assert is_secret_header(name, value) is secret


@pytest.mark.parametrize(
    ("name", "value", "hidden", "warned"),
    [
        ("X-Org-Pass", "hunter2hunter2", True, True),
        ("X-Org-Pass", "swordfish", True, True),
        ("X-Gateway", "0a1b2c3d4e5f6a7b", True, True),
        ("X-Gateway", "hunter2!", True, False),
        ("X-Stage", "production", False, False),
        ("X-Title", "My program", False, False),
    ],
)
def test_a_headers_value_in_texts_and_warnings(name, value, hidden, warned):
    """Removed from texts unless it is made of plain words; warned of when it looks like a key."""
    assert is_hidden_in_texts(name, value) is hidden
    assert looks_like_key(name, value) is warned
