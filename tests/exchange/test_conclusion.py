"""What is recorded of a request at its end where the upstream did not say."""

import pytest

from router.exchange.conclusion import estimate
from router.ir import Usage
from router.telemetry.accesslog import RequestRecord


def record(status=200, error="", usage=None, *, guess=0, sent=360, estimated=False):
    made = RequestRecord("req_1", 0.0, "POST", "/v1/messages", status=status, error=error, estimated=estimated)
    made.usage, made.guess, made.request_bytes = usage or Usage(), guess, sent
    return made


@pytest.mark.parametrize(
    ("found", "writes", "counts", "estimated"),
    [
        (record(usage=Usage(7, 9)), True, (7, 9), False),
        (record(usage=Usage(0, 0)), True, (0, 0), False),
        (record(guess=40), True, (100, 40), True),
        (record(usage=Usage(7, None), guess=40), True, (7, 40), True),
        (record(usage=Usage(None, 9), guess=40), True, (100, 9), True),
        (record(usage=Usage(8, None)), False, (8, None), False),
        (record(), False, (100, None), True),
        (record(error="upstream_error", status=500), True, (None, None), False),
        (record(error="upstream_error", status=200, guess=4), True, (None, None), False),
        (record(error="bad_gateway", status=502), True, (None, None), False),
        (record(error="client_gone", status=499, estimated=True), True, (100, 0), True),
        (record(error="client_gone", usage=Usage(3, 1), guess=50, estimated=True), True, (3, 50), True),
        (record(error="upstream_broke_off", usage=Usage(3, 80), guess=50), True, (3, 80), True),
        (record(usage=Usage(None, None, 90, 5), guess=1), True, (5, 1), True),
    ],
)
def test_estimates(found, writes, counts, estimated):
    """What was said stays; what was not is estimated and marked, never zero for a missing count; refusals are free."""
    estimate(found, writes=writes)
    assert (found.usage.input, found.usage.output) == counts
    assert found.estimated is estimated
