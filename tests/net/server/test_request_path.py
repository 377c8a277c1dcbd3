"""Paths that servers read in different ways are refused with the reason; all others pass."""

import pytest

from router.errors import BadRequest
from router.net.server.request_path import check_path


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (b"/v1/../admin", "dot segments"),
        (b"/v1/%2e%2E/admin", "dot segments"),
        (b"/v1/./messages", "dot segments"),
        (b"/v1/a%2fb", "escaped slash"),
        (b"/v1/a\\b", "backslash"),
        (b"/v1/a%5Cb", "backslash"),
        (b"/v1/messages;x=1", "semicolon"),
        (b"/v1/messages%3b", "semicolon"),
        (b"/v1/..;/admin", "semicolon"),
        (b"/v1/messages%00", "control character"),
        (b"/v1/messages%0d%0a", "control character"),
        (b"/v1/messages%7F", "control character"),
        (b"/v1/%256dessages", "escaped percent"),
        (b"/v1/files/%253%41", "escaped percent"),
        (b"/v1/" + b"a" * 4093, "over 4 KiB"),
        (b"/v1/messages%", "percent sign"),
        (b"/v1/messages%4", "percent sign"),
        (b"/v1/mess%zzages", "percent sign"),
        (b"/v1/messages#x", "fragment"),
        (b"/v1/messages?x#y", "fragment"),
        (b"/v1/messages?%20#y", "fragment"),
        (b"/v1/" + b"a" * 4093 + b"?x", "over 4 KiB"),
        (b"/v1/models/../admin", "dot segments"),
        (b"/v1/models/a\\b", "backslash"),
        (b"/v1/xmodels/a%2fb", "escaped slash"),
    ],
)
def test_a_path_of_two_readings_is_refused(target, reason):
    """The reason names what is to be left out."""
    with pytest.raises(BadRequest, match=reason):
        check_path(target)


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/messages",
        b"/v1/messages?beta=true&x=%2f;%00..",
        b"/v1//chat/%63ompletions/",
        b"/v1/files/.hidden",
        b"/v1/files/a..b",
        b"/v1/files/%20%C3%A9",
        b"/v1/" + b"a" * 4092 + b"?" + b"b" * 9000,
        b"/v1/models/a%2Fb%3Bc%252F",
        b"//models/hf:org%2Fmodel",
        b"/v1//models/ft%3Agpt%3Aorg",
        b"*",
    ],
)
def test_other_paths_pass(target):
    """Also ids with reserved characters, and whatever stands in a query."""
    check_path(target)
