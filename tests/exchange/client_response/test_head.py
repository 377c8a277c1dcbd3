"""The head of what the client gets: what served it, what was lost, when to ask again."""

import pytest

from router.errors import BadRequest, RateLimited, Unavailable
from router.exchange.client_response.head import own_headers, refuse

from ..playbook import on_stage, play, playing
from ..worlds import CHAT, MESSAGES, RESPONSES, chat, good, message, refuses, response


def names(played):
    return {name for name in played.fields if name.startswith(b"x-fairlead-")}


def test_an_error_before_any_backend(one):
    """It names nothing but the request, and keeps a browser from using it."""
    played = playing(one, CHAT, chat("nowhere"))
    assert names(played) == {b"x-fairlead-request-id"}
    assert played.fields[b"x-content-type-options"] == b"nosniff"
    assert played.fields[b"content-type"] == b"application/json"


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        (CHAT, chat("no"), b"x-request-id"),
        (RESPONSES, response("no"), b"x-request-id"),
        (MESSAGES, message("no"), b"request-id"),
    ],
)
def test_an_error_has_the_vendors_name_for_its_id(one, path, body, name):
    """SDKs show it in their exceptions."""
    assert playing(one, path, body).fields[name] == b"req_1"


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (BadRequest("no"), {b"x-should-retry": b"false"}),
        (Unavailable("no"), {b"retry-after": b"1"}),
        (RateLimited("no"), {}),
        (Unavailable("no", retry_after=7), {b"retry-after": b"7"}),
        (
            BadRequest("no", headers=(("accept-encoding", "gzip"),)),
            {b"accept-encoding": b"gzip", b"x-should-retry": b"false"},
        ),
    ],
)
def test_what_an_error_says_of_retries(one, error, fields):
    """When to ask again, and whether."""

    async def main():
        played = await play(one, CHAT, chat(), good())
        await refuse(played.attempt.context, error)
        return played

    played = on_stage(one, main)
    assert {name: played.fields.get(name) for name in (b"x-should-retry", b"retry-after", b"accept-encoding")} == {
        b"x-should-retry": None,
        b"retry-after": None,
        b"accept-encoding": None,
        **fields,
    }
    assert (played.record.status, played.record.error) == (error.status, error.kind)


def test_the_first_error_of_a_record_stays(one):
    """What was noted before says more than the class of the answer."""

    async def main():
        played = await play(one, CHAT, chat(), good())
        played.record.error = "upstream_broke_off"
        await refuse(played.attempt.context, BadRequest("no"))
        return played.record.error

    assert on_stage(one, main) == "upstream_broke_off"


def test_what_serves_in_place(chain):
    """The fallback is named, and how often was tried."""
    played = playing(chain, CHAT, chat(), refuses(500), good())
    assert played.fields[b"x-fairlead-fallback"] == b"second:n"
    assert played.fields[b"x-fairlead-attempts"] == b"2"
    assert played.fields[b"x-fairlead-model"] == b"n"


def test_a_page_of_a_listed_origin(one):
    """What lets it read the answer goes with every head."""
    played = playing(one, CHAT, chat(), good())
    arrival = played.attempt.context
    arrival.cors = [(b"access-control-allow-origin",) * 2 + (b"https://page.example",)]
    assert arrival.cors[0] in own_headers(arrival, None)
