"""The question to `explain`, and its answer."""

import msgspec

from router.policy.routing.trace import Step


class Question(msgspec.Struct, kw_only=True):
    """A request that might be sent: a model's name, or a body."""

    #: The model's name; ignored when there is a body.
    model: str = ""
    #: The request's body, base64 in JSON.
    body: bytes = b""
    #: null to detect it from the body's fields, or, for a name alone, to use the first protocol in which it would be
    #: served.
    protocol: str | None = None
    #: Name and value of each header.
    headers: list[tuple[str, str]] = []
    #: Tokens of the input that its cost is estimated for, where an earlier answer told them; null to estimate them.
    tokens_in: int | None = None
    #: The same of the output; null to leave out what that costs.
    tokens_out: int | None = None


class CostEstimate(msgspec.Struct, kw_only=True):
    """What a request would cost, with nothing read from a cache."""

    #: False where nobody bills the backend's tokens.
    billed: bool = True
    #: Those of the question, else an estimate.
    tokens_in: int = 0
    #: null where they are not known; the cost is then that of the input alone.
    tokens_out: int | None = None
    #: US dollars, null where no price is known.
    dollars: float | None = None
    #: US dollars that a million tokens of output cost beside this input, null where no price is known.
    output_million: float | None = None
    #: Where the price is from, '' where none is known.
    source: str = ""


class Explanation(msgspec.Struct, kw_only=True):
    """What would happen to the request."""

    #: The requested model, null for none.
    model: str | None = None
    #: The protocol of the request.
    protocol: str = ""
    #: The protocol was not given.
    assumed: bool = False
    #: All steps of routing, in order.
    steps: list[Step] = []
    #: The backend it would go to, '' for none.
    backend: str = ""
    #: Why the backend cannot serve now, and the command that helps; '' when nothing is known against it.
    problem: str = ""
    #: The account whose key would be used.
    account: str = ""
    #: The protocols of the backend.
    speaks: tuple[str, ...] = ()
    #: The step that chose the backend.
    why: str = ""
    #: The model's name as it would be sent.
    sent_model: str | None = None
    #: The alias that applied, '' for none.
    alias: str = ""
    #: The rule that applied, '' for none.
    rule: str = ""
    #: The edits that would be made to it, as the access log names them.
    edits: list[str] = []
    #: What is left of the account, in words.
    room: str = ""
    #: The account that would serve next, with what is left of it.
    next: str = ""
    #: What is known of the model, each fact with its source; '' for nothing.
    limits: str = ""
    #: Whether the request fits, and by which limit from which source; '' for a name alone.
    fits: str = ""
    #: What it would cost; null for a name alone.
    cost: CostEstimate | None = None
    #: That the model ends, and its successor; '' for others.
    notice: str = ""
    #: Whether an answer may be kept and given again, by which rule or model, and why not; '' where the configuration
    #: does not ask for that.
    cache: str = ""
    #: The chain of backends that would be tried next, each with the protocol of a translation, and why it did not
    #: answer last.
    fallback: list[str] = []
    #: As `messages->chat`, '' when the protocol stays.
    translation: str = ""
    #: The fields that the translation cannot carry over.
    losses: list[str] = []
    #: The status it would be refused with, 0 when it would be sent.
    status: int = 0
    #: The message it would be refused with, '' when it would be sent.
    error: str = ""
