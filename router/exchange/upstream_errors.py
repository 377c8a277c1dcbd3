"""The errors for a backend that gave no answer, or none that is whole: what happened, and what helps."""

from router.backends.advice import advise
from router.errors import BadGateway, RouterError, Unreachable
from router.exchange.attempt import Attempt
from router.net.client.exchange import UpstreamDisconnected, UpstreamExchange


def make_disconnect_error(broken: UpstreamDisconnected, attempt: Attempt) -> BadGateway:
    """The error for an answer that ended before it was whole."""
    backend, upstream = attempt.route.backend, attempt.upstream
    silent = isinstance(upstream, UpstreamExchange) and not upstream.answered
    # A server whose model list was read speaks HTTP: a connection that it closes says nothing of TLS.
    silent = silent and backend.name not in attempt.context.runtime.catalogs.models
    error = BadGateway(f"Backend {backend.name} {broken}.", cause="closed" if silent else "")
    unanswered = isinstance(upstream, UpstreamExchange) and upstream.written and not upstream.status
    if unanswered and attempt.judge_safety() != "safe":
        error.message += " It may have carried the request out, which was therefore not sent again."
    add_advice(error, attempt)
    return error


def name_backend(error: BadGateway, attempt: Attempt) -> None:
    """Add to the error of a connection, which knows addresses only, the backend and what helps."""
    if isinstance(error, Unreachable):
        error.message = f"Backend {attempt.route.backend.name} could not be reached. {error.message}"
    add_advice(error, attempt)


def add_advice(error: BadGateway, attempt: Attempt) -> None:
    """Add what helps, as far as the error's cause says it."""
    advice = advise(error.cause, attempt.route.backend)
    if advice is not None:
        error.message = f"{error.message} {advice.join()}"


# What UpstreamDisconnected says of connections that ended; its other texts are of answers that break a bound.
_ENDED = ("closed ", "ended ", "sent nothing ")


def is_lost(broken: UpstreamDisconnected) -> bool:
    """True for an answer that broke off by chance, so that the same request may go well."""
    return str(broken).startswith(_ENDED)


def say_connection_lost(error: RouterError) -> None:
    """Add the words by which agents know the error event of a stream that may be asked for again. They decide by the
    text alone: pi looks for `connection lost`, `timeout`, `overloaded` and statuses, Continue for `premature close`,
    `connection reset`, `aborted` and `overloaded`."""
    error.message = f"{error.message.rstrip('.')} (premature close, connection lost)."
