"""Errors that fairlead itself answers with, and those of its command line.

An error carries what the answer needs: the HTTP status, the Anthropic error type (the richest of the three
vocabularies; `wire` maps it to the OpenAI form), and a message that says what to do next. How a protocol writes an
error is `wire`'s to know.
"""


class RouterError(Exception):
    """An answer fairlead gives in place of an upstream's.

    message: what went wrong and what to do next, free of secrets. retry_after: seconds for the `retry-after` header,
    or None. headers: further fields of the answer.
    """

    #: HTTP status.
    status = 500
    #: Anthropic error type.
    kind = "api_error"
    #: OpenAI `code`, or None.
    code: str | None = None
    #: Its class in the history where `kind` is too broad, else ''.
    word = ""
    #: Why the request was refused before it was looked at (telemetry/gate_refusals.py), else ''.
    gate = ""
    #: False adds `x-should-retry: false`, which Claude Code and the official SDKs obey.
    retryable = True
    #: What the Anthropic form holds beside the message, or None.
    details: dict[str, object] | None = None
    #: The field at fault, where OpenAI's form names it.
    param: str | None = None

    def __init__(self, message: str, *, retry_after: int | None = None, headers: tuple[tuple[str, str], ...] = ()):
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.headers = headers


class BadRequest(RouterError):
    """400: the request itself is at fault; sending it again cannot help."""

    status = 400
    kind = "invalid_request_error"
    retryable = False


class ContextOverflow(BadRequest):
    """400: the request has more tokens than any model that may serve it takes. The message has the words by which the
    clients of the caller's API know that."""

    code = "context_length_exceeded"
    word = "context_overflow"


class Unauthenticated(RouterError):
    """401: a key is missing or wrong, the caller's or a backend's."""

    status = 401
    kind = "authentication_error"
    code = "invalid_api_key"
    retryable = False


class Halted(RouterError):
    """402: the guard lets no more through; sending it again costs nothing and brings nothing."""

    status = 402
    kind = "billing_error"
    code = "insufficient_quota"
    retryable = False
    #: What is halted: `all`, or `backend NAME` or `account NAME/ALIAS` where others may serve.
    scope = "all"
    #: The trigger, in words.
    reason = ""


class BudgetBusy(Halted):
    """503: all that is left of a budget is reserved for running requests, for longer than a request waits."""

    status = 503
    kind = "overloaded_error"
    code = "overloaded"
    word = "budget_busy"
    retryable = True


class OutOfCredit(RouterError):
    """402: no account has money left; it helps to pay, or to wait until one is asked again."""

    status = 402
    kind = "billing_error"
    code = "insufficient_quota"


class Forbidden(RouterError):
    """403: foreign Host or Origin, or a path that is closed by default."""

    status = 403
    kind = "permission_error"
    code = "permission_denied"
    retryable = False


class NotFound(RouterError):
    """404: no such path."""

    status = 404
    kind = "not_found_error"
    retryable = False


class UnknownModel(NotFound):
    """404: no backend serves the model."""

    code = "model_not_found"


class WrongVerb(RouterError):
    """405: the path exists, the method does not; `allow` is the value of the Allow header."""

    status = 405
    kind = "invalid_request_error"
    retryable = False

    def __init__(self, message: str, *, allow: str):
        super().__init__(message, headers=(("allow", allow),))


class Conflict(RouterError):
    """409: the change contradicts what is configured or stored."""

    status = 409
    kind = "invalid_request_error"
    code = "conflict"
    retryable = False


class TooLarge(RouterError):
    """413: the request body is over its bound."""

    status = 413
    kind = "request_too_large"
    code = "request_too_large"
    retryable = False


class UnsupportedMedia(RouterError):
    """415: a content type or content coding that is not supported."""

    status = 415
    kind = "invalid_request_error"
    retryable = False


class UpgradeRequired(RouterError):
    """426: a websocket was requested. Codex falls back to POST at once on this status and on no other."""

    status = 426
    kind = "invalid_request_error"
    retryable = False


class RateLimited(RouterError):
    """429: a limit of an account, or of the user's own, that ends by itself; the message names it and when."""

    status = 429
    kind = "rate_limit_error"
    code = "rate_limit_exceeded"


class HeadTooLarge(RouterError):
    """431: too many header fields, or too long ones."""

    status = 431
    kind = "invalid_request_error"
    retryable = False


class NotImplementedHere(RouterError):
    """501: what is asked for is not served, whatever the request says."""

    status = 501
    kind = "invalid_request_error"
    code = "not_implemented"
    retryable = False


class BadGateway(RouterError):
    """502: the upstream could not be reached, or did not answer in HTTP.

    cause: a word of `backends.advice`, '' when it is not known.
    """

    status = 502

    def __init__(self, message: str, *, cause: str = ""):
        super().__init__(message)
        self.cause = cause


class Unreachable(BadGateway):
    """502: no connection could be made (name, network, proxy, TLS). It says nothing about an account of the backend."""


class Unavailable(RouterError):
    """503: fairlead itself is at a bound, or stopping."""

    status = 503
    kind = "overloaded_error"
    code = "overloaded"


class LoopDetected(RouterError):
    """508: the backend is this proxy itself, so that the request would come back for ever."""

    status = 508
    code = "loop_detected"
    retryable = False


class UpstreamTimeout(RouterError):
    """504: a deadline passed; the message names which."""

    status = 504
    kind = "timeout_error"
    code = "timeout"


class CommandError(Exception):
    """A command that failed: printed as `error: …`, exit code 1. hint: printed below it, '' for none."""

    exit_code = 1

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.hint = hint


class UsageError(CommandError):
    """A command line that is not valid: exit code 2."""

    exit_code = 2


class NotRecorded(CommandError):
    """The history does not have the request that was asked for."""
