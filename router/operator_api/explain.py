"""The question where a request would go, and its answer."""

import msgspec

from router.policy.routing.trace import Step


class Question(msgspec.Struct, kw_only=True):
    """A request that might be sent: a model's name, or a body."""

    #: The model's name; not looked at when there is a body.
    model: str = ""
    #: The request's body, base64 in JSON.
    body: bytes = b""
    #: null to tell it from the body's fields, or for a name the first in which it would be served.
    protocol: str | None = None
    #: Name and value of each header.
    headers: list[tuple[str, str]] = []


class Explanation(msgspec.Struct, kw_only=True):
    """What would happen to the request."""

    #: The model that was asked for, null for none.
    model: str | None = None
    #: The protocol of the request.
    protocol: str = ""
    #: The protocol was not given.
    assumed: bool = False
    #: All that routing looked at, in order.
    steps: list[Step] = []
    #: The backend it would go to, '' for none.
    backend: str = ""
    #: The account whose key would be used.
    account: str = ""
    #: The protocols of the backend.
    speaks: tuple[str, ...] = ()
    #: The step that found the backend.
    why: str = ""
    #: The model's name as it would be sent.
    sent_model: str | None = None
    #: The alias that applied, '' for none.
    alias: str = ""
    #: The rule that applied, '' for none.
    rule: str = ""
    #: What would be changed in it, as the access log notes it.
    edits: list[str] = []
    #: What is left of the account, in words.
    room: str = ""
    #: The account that would serve after it, with what is left of that one.
    next: str = ""
    #: The chain of backends that would be asked after it, each with what it would be translated to.
    fallback: list[str] = []
    #: As `messages->chat`, '' when the protocol stays.
    translation: str = ""
    #: What the translation cannot carry over.
    losses: list[str] = []
    #: With what status it would be refused, 0 when it would be sent.
    status: int = 0
    #: With what words it would be refused, '' when it would be sent.
    error: str = ""
