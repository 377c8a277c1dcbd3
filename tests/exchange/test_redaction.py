"""Heads of upstream answers are searched for secrets, those of good answers only where it is needed."""

from types import SimpleNamespace

import pytest
import trio

from router.exchange.redaction import has_suspect_head, hide_key, hide_key_in_events, redact_head
from router.exchange.upstream_response.response import BufferedResponse
from router.net.headers import to_lines
from router.redaction import MARK, Redactor

from ..growth import grows_evenly

KEY = "sk-upstream-0123456789-0123456789-0123456789"
#: As a large network in front of an API adds them to every answer.
EDGE = [
    (b"content-type", b"application/json"),
    (b"set-cookie", b"__cf_bm=" + b"Qw8zXk2mN4vB7yT1uP6s" * 4 + b"; path=/; domain=.api.example.com"),
    (b"report-to", rb'{"endpoints":[{"url":"https:\/\/a.nel.example.com\/report\/v4?s=Ab%2Fcd%2Bef"}]}'),
    (b"nel", b'{"success_fraction":0.01,"report_to":"nel","max_age":604800}'),
    (b"x-request-id", b"req_0123456789abcdef0123456789abcdef"),
]


class Watched(Redactor):
    """Tells which texts were searched."""

    __slots__ = ("searched",)

    def __init__(self, secrets):
        super().__init__(secrets)
        self.searched = []

    def redact(self, data):
        self.searched.append(data)
        return super().redact(data)


@pytest.fixture
def redactor():
    return Watched((KEY,))


def asked(redactor):
    return SimpleNamespace(place=SimpleNamespace(service=SimpleNamespace(references=(), redactor=redactor)))


def head(status, *fields):
    return BufferedResponse(status, b"OK", to_lines([*EDGE, *fields]), b"")


def redacted(redactor, response):
    attempt = asked(redactor)
    if has_suspect_head(attempt, response):
        trio.run(redact_head, attempt, response)
    return {name: value for _, name, value in response.lines}


def test_fields_that_are_not_relayed_do_not_make_a_good_head_suspect(redactor):
    """What every answer behind a large network carries is dropped anyway, and costs no search."""
    assert not has_suspect_head(asked(redactor), head(200))
    assert has_suspect_head(asked(redactor), head(200, (b"x-echo", b"%73k-upstream")))


def test_only_suspect_values_of_a_good_head_are_searched(redactor):
    """One value with an escape does not make the whole head be searched."""
    link = b"</v1/models?after=a%2Fb>; rel=next"
    response = head(200, (b"link", link))
    assert redacted(redactor, response)[b"link"] == link
    assert redactor.searched == [link]


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "value", [KEY.encode(), KEY.encode().hex().encode(), b"%73" + KEY[1:].encode(), b"ab \\u0073" + KEY[1:].encode()]
)
def test_the_values_that_are_relayed_hold_no_key(redactor, status, value):
    """In any head, in any spelling."""
    found = redacted(redactor, head(status, (b"x-echo", value)))
    assert b"[redacted]" in found[b"x-echo"]
    assert KEY[3:].encode() not in found[b"x-echo"]


def test_all_of_an_errors_head_is_searched(redactor):
    """Fields that are dropped too: their names and values stand in what is said of the error."""
    assert b"[redacted]" in redacted(redactor, head(400, (b"set-cookie", KEY.encode())))[b"set-cookie"]


def test_what_a_model_writes_keeps_the_key():
    """Only what is no output of a model loses it, in events and in whole answers."""
    key = KEY.encode()
    written = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % key
    told = b'event: note\r\ndata: {"detail":"%s"}\r\n\r\n' % key
    other = b"data: {}\n\n"
    events = hide_key_in_events(written + other + told + written + b": %s\n\n" % key, key)
    assert events == written + other + told.replace(key, MARK) + written + b": [redacted]\n\n"
    body = b'{"output":[{"text":"%s"}]}' % key
    assert hide_key(body, key) == body
    assert hide_key(b'{"detail":"%s"}' % key, key) == b'{"detail":"[redacted]"}'


@pytest.mark.parametrize(
    "event", [b"data: %s\n\n", b": %s\r\n\r\n", b'data: {"content":"%s"}\n\n', b'data: {"a":[[[%s\n\n']
)
def test_time_to_hide_the_key_grows_with_the_events(event):
    """Events that all hold it, in any form, take no longer than their size explains."""
    key = KEY.encode()
    event %= key
    grows_evenly(lambda count: event * count, lambda batch: hide_key_in_events(batch, key), 4000)
