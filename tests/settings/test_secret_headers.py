"""What is shown as `set` of headers that the user configured."""

import pytest

from router.settings.secret_headers import is_secret_header


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
        ("X-Team", "12345678901234567890", False),
    ],
)
def test_a_header_that_may_hold_a_secret(name, value, secret):
    """By its name, by the form of a known kind of key, or as one long word of letters and digits."""
    assert is_secret_header(name, value) is secret
