"""The client's error for an exchange that was cut: one for each reason."""

import pytest

from router.errors import BadRequest, Unavailable, UpstreamTimeout
from router.exchange.cut_errors import error_for
from router.net.server.cancel_reason import CancelReason
from router.settings import Settings
from router.settings.tables import BackendOptions

from .playbook import playing
from .worlds import CHAT, box, chat, good

OWN = BackendOptions(connect=1.0, first_byte=2.0, idle=3.0, total=400.0)


@pytest.mark.parametrize(
    ("why", "tried", "kind", "words"),
    [
        (CancelReason.STOPPING, False, Unavailable, "fairlead is stopping"),
        (CancelReason.BODY, False, BadRequest, "The request body stopped arriving (30 s)."),
        (CancelReason.CONNECT, False, UpstreamTimeout, "within 10 s (timeouts.connect)"),
        (CancelReason.CONNECT, True, UpstreamTimeout, "Backend box could not be reached within 1 s"),
        (CancelReason.FIRST_BYTE, False, UpstreamTimeout, "no answer within 300 s (timeouts.first_byte)"),
        (CancelReason.FIRST_BYTE, True, UpstreamTimeout, "no answer within 2 s (timeouts.first_byte)"),
        (CancelReason.SILENT, True, UpstreamTimeout, "sent nothing for 3 s (timeouts.idle)"),
        (CancelReason.TOTAL, False, UpstreamTimeout, "did not finish its answer within 1800 s (timeouts.total)"),
        (CancelReason.TOTAL, True, UpstreamTimeout, "did not finish its answer within 400 s (timeouts.total)"),
    ],
)
def test_each_reason_has_its_words(made, why, tried, kind, words):
    """With the limit of the backend that was asked, of all before that."""
    runtime = made(box("box", "a0"), settings=Settings(backends={"box": OWN}))
    attempt = playing(runtime, CHAT, chat(), good()).attempt
    error = error_for(why, attempt.context, attempt if tried else None)
    assert type(error) is kind
    assert words in error.message
    assert error.status == {Unavailable: 503, BadRequest: 408, UpstreamTimeout: 504}[kind]
