"""What a request gives back of its client key's limits when it ends."""

from types import SimpleNamespace

import pytest

from router.exchange.grants.limits import KeyPlaces
from router.ir import Usage
from router.telemetry.accesslog import RequestRecord


@pytest.mark.parametrize(
    ("fields", "used"),
    [
        ({"usage": Usage(input=30, output=5)}, -15),
        ({"usage": Usage(input=60, output=5)}, 15),
        ({}, 0),
        ({"answer_age": 0}, -50),
    ],
    ids=["fewer", "more", "not told", "from the cache of answers"],
)
def test_tokens_that_were_used(fields, used):
    """Fifty tokens were estimated: what was used is more or less, and an answer that was kept takes none."""
    released = []
    places = object.__new__(KeyPlaces)
    places._context = SimpleNamespace(record=RequestRecord("req_1", 0.0, "POST", "/", **fields))
    places._tokens, places._held = 50, [SimpleNamespace(release=released.append)]
    places.release()
    assert released == [used]
