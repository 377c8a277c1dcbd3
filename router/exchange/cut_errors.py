"""The errors for exchanges that a deadline or the stop of the proxy ended: each reason has its own text.

Those of a deadline say `timeouts` and `aborted`: some agents repeat on such words alone (upstream_errors.py).
"""

from router.errors import BadRequest, RouterError, Unavailable, UpstreamTimeout
from router.exchange.attempt import Attempt
from router.exchange.context import Arrival
from router.net.server.cancel_reason import CancelReason
from router.upstream.targets import FAR_SECONDS


def error_for(why: CancelReason, arrival: Arrival, attempt: Attempt | None) -> RouterError:
    """The error for an exchange, or an attempt, that was cut. attempt: the one under way, None before the first."""
    backend = arrival.record.backend
    settings = arrival.snapshot.settings
    target = attempt.target if attempt is not None else None
    connect = target.connect if target else settings.timeouts_connect
    total = target.total if target else settings.timeouts_total
    if why is CancelReason.STOPPING:
        return Unavailable("fairlead is stopping; send the request again in a moment.", retry_after=2)
    if why is CancelReason.BODY:
        error = BadRequest(f"{why.value[0].upper()}{why.value[1:]} ({arrival.connection.limits.body:g} s).")
        error.status = 408
        return error
    if why is CancelReason.CONNECT:
        return UpstreamTimeout(
            f"Backend {backend} could not be reached within {connect:g} s (timeouts.connect): aborted."
        )
    if why is CancelReason.FIRST_BYTE:
        seconds = target.first_byte if target else settings.timeouts_first_byte or FAR_SECONDS
        return UpstreamTimeout(f"Backend {backend} sent no answer within {seconds:g} s (timeouts.first_byte): aborted.")
    if why is CancelReason.SILENT:
        return UpstreamTimeout(
            f"Backend {backend} sent nothing for {target.idle if target else 0:g} s (timeouts.idle): aborted."
        )
    return UpstreamTimeout(f"Backend {backend} did not finish its answer within {total:g} s (timeouts.total): aborted.")
