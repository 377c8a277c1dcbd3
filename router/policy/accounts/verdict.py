"""What the error of an upstream means: which fault it is, and how long it closes an account.

What the body says decides before the status: providers answer an account without money with 400, 402, 403 and 429, and
some use the words of a used-up quota for a limit that ends in a moment.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from router.policy.accounts.pool import QUOTA_SECONDS
from router.policy.accounts.retry import Fault, format_duration
from router.policy.accounts.session_key import FREE
from router.wire import protocols
from router.wire.errors import overflow, texts
from router.wire.errors.limits import read_body_limit, says_anywhere, says_itself
from router.wire.errors.told_status import correct_status
from router.wire.headers.rate_limits import AccountLimits, Limit, parse_limits
from router.wire.headers.times import UNREADABLE, read_date
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

BURST_SECONDS = 5.0

# A limit that is used up so far is what the 429 is about.
_SPENT = 0.98
# A 403 that is about the content of the request, or the country it comes from.
_ABOUT_REQUEST = (
    *(b"flagged_input", b"requires moderation", b"was flagged", b"content_policy", b"content policy"),
    *(b"content_filter", b"usage polic", b"unsupported_country", b"territory not supported"),
    *(b"location is not supported", b"available in your country", b"available in your region"),
    *(b"supported in your country", b"supported in your region", b"request not allowed"),
)
# A 403 that says that the key has reached its end: AWS (its sessions, signatures and Bedrock keys), Azure's gateways.
_EXPIRED = (
    *(b"expiredtoken", b"expired_token", b"token expired", b"token has expired", b"token is expired"),
    *(b"token included in the request is expired", b"signature expired", b"signature has expired"),
    *(b"key has expired", b"credentials have expired", b"credentials are expired"),
)
# A 402 that is about the size of the request: the money that is left is enough for smaller ones.
_TOO_DEAR = (b"can only afford",)

CooldownKind = Literal["burst", "window", "quota"]


def classify_answer(status: int, body: bytes | bytearray = b"") -> Fault | None:
    """The fault an answer stands for, None for one that is final. body: without content coding, or its beginning."""
    if status < 400:
        return None
    if status in (402, 429) or says_itself(body, protocols.quota_words()):
        return Fault.LIMITED
    if status == 400 and says_itself(body, protocols.auth_words()):
        return Fault.AUTH_REJECTED
    if status in (401, 403):
        about_request = status == 403 and says_anywhere(body, _ABOUT_REQUEST)
        return Fault.REQUEST_REJECTED if about_request else Fault.AUTH_REJECTED
    if status == 413:
        return _classify_too_large(body)
    if status < 500 or (body and _is_too_long(status, body)):
        return None
    return Fault.FAILED


def says_expired(status: int, body: bytes | bytearray) -> bool:
    """True for a 403 that says that the key has reached its end, which other providers tell by a 401. body: without
    content coding, or its beginning."""
    return status == 403 and says_itself(body, _EXPIRED)


def _classify_too_large(body: bytes | bytearray) -> Fault | None:
    """The fault of a 413: some tell a limit of rate by it. Where it says no wait, the request alone is over the limit:
    the account serves others meanwhile."""
    error = _read_error(body)
    if correct_status(413, error, texts.find_message(error)) == 413:
        return None
    return Fault.REQUEST_REJECTED if read_body_limit(body).wait is None else Fault.LIMITED


def _is_too_long(status: int, body: bytes | bytearray) -> bool:
    """True for a request that is too long for its model: some servers say so with a 500."""
    error = _read_error(body)
    return overflow.is_overflow(texts.find_message(error), error.get("code"), error.get("type"), status=status)


def _read_error(body: bytes | bytearray) -> Json:
    """The error object of a body, {} for one without."""
    data = texts.decode_body(body) or texts.wrap_plain(body)
    return json_values.read_error(data) or data


class Cooldown(NamedTuple):
    """How long an answer closes an account."""

    #: A burst ends in a moment, a window at its reset, a quota with money.
    kind: CooldownKind
    #: From now until then.
    seconds: float
    #: What is used up, '' when the answer does not say.
    limit: str = ""
    #: The family of models, or the model, that it is closed to alone; '' for all.
    models: str = ""
    #: Of the answer.
    status: int = 429

    @property
    def words(self) -> str:
        """What was seen, for people."""
        named = f" ({self.limit})" if self.limit else ""
        when = "again" if self.kind == "burst" else "reset"
        return f"{self.status} {self.kind}{named}, {when} in {format_duration(self.seconds)}"


def read_cooldown(
    fields: Mapping[bytes, bytes], body: bytes | bytearray, family: str, model: str = "", *, status: int = 429
) -> Cooldown | None:
    """How long an answer that is a Fault.LIMITED closes its account; None when it does not. body: as far as it was
    read. family: of the model that was asked for. model: its name, as it was asked for."""
    limits = parse_limits(fields)
    spent = _find_spent(limits, family)
    limit = spent.name if spent else ""
    told = read_body_limit(body, model, read_date(fields))
    wait = max((one for one in (limits.wait, told.wait) if one is not None), default=None)
    if status == 402 and says_anywhere(body, _TOO_DEAR):
        return None
    if _is_quota(status, body, wait):
        return Cooldown("quota", max(QUOTA_SECONDS, wait or 0.0), limit, status=status)
    seconds = wait if wait is not None else (spent.left if spent else 0.0) or UNREADABLE
    models = family if spent is not None and spent.family else model if told.of_model else ""
    if not models and family == FREE:
        models = family  # the models that cost nothing have limits of their own
    return Cooldown("burst" if seconds <= BURST_SECONDS else "window", seconds, limit, models, status)


def _is_quota(status: int, body: bytes | bytearray, wait: float | None) -> bool:
    """True when money is used up, and no limit of rate."""
    words = protocols.quota_words()
    if status not in (413, 429) or says_anywhere(body, words) or says_itself(body, words):
        return True
    return wait is None and says_anywhere(body, protocols.quota_hints())


def _find_spent(limits: AccountLimits, family: str) -> Limit | None:
    """Of the limits that are used up for these models the one that is free again last."""
    spent = [limit for limit in limits.limits if limit.used >= _SPENT and limit.family in ("", family)]
    return max(spent, key=lambda limit: limit.left, default=None)
