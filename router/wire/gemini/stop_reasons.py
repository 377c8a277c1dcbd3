"""Why an answer ended, in Gemini's words and in the neutral ones.

`finishReason` is STOP for an answer that ends with calls too, and does not say which stop sequence ended it
(https://ai.google.dev/api/generate-content#FinishReason).
"""

from router.ir import Fault, Stop
from router.wire.neutral.context import Context

# Characters of the upstream's words that are quoted.
_QUOTED = 300
#: Nothing was said yet.
UNSPECIFIED = ("", "FINISH_REASON_UNSPECIFIED")
_STOPS: dict[str, Stop] = {"STOP": "end", "MAX_TOKENS": "length"}
#: The answer, or what was left of it, is withheld.
REFUSALS = frozenset(
    (
        *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
        *("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "PUP_LIMITED_DISABLED", "ESCALATION"),
    )
)
#: The model wrote what cannot be used: with something said before it that is the answer, without it an error that
#: often does not come again.
FAILURES = frozenset(
    (
        *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "TOO_MANY_TOOL_CALLS"),
        *("NO_IMAGE", "IMAGE_OTHER", "OTHER"),
    )
)
_MISSING_SIGNATURE = "MISSING_THOUGHT_SIGNATURE"
_TO_BE_CONTINUED = "CONTINUATION"
#: The neutral reasons in Gemini's words. It has no word for a full context or a pause; MAX_TOKENS says that there would
#: be more.
_REASONS: dict[Stop, str] = {
    "end": "STOP",
    "tool": "STOP",
    "sequence": "STOP",
    "length": "MAX_TOKENS",
    "context": "MAX_TOKENS",
    "pause": "MAX_TOKENS",
    "refusal": "SAFETY",
}
_CONTEXT_MESSAGE = "The context window is full."
_REFUSAL_MESSAGE = "The model declined to answer."


def decode_stop(reason: str, message: str, ctx: Context, *, called: bool, said: bool) -> Stop | Fault:
    """The neutral reason of a `finishReason`, in capitals; an error for an answer that cannot be used.

    message: the `finishMessage`. called: the answer holds a call. said: it holds a call or text.
    """
    if reason in REFUSALS:
        return "refusal"
    if reason == _MISSING_SIGNATURE or (reason in FAILURES and not said):
        told = f": {message[:_QUOTED]}" if message else "."
        return Fault(502, "api_error", f"Gemini ended with {reason}{told}")
    if reason == _TO_BE_CONTINUED:
        ctx.note_weakened(f"finishReason {_TO_BE_CONTINUED}")
        return "length"
    stop = _STOPS.get(reason)
    if stop is None and reason not in UNSPECIFIED:
        ctx.note_weakened(f"finishReason {reason[:40]}")
    return "tool" if called and stop != "length" else stop or "end"


def describe_refusal(reason: str, message: str) -> str:
    """The words of a refusal: Gemini's own, or its reason."""
    return message or f"stopped by Gemini: {reason[:40]}"


def encode_stop(stop: Stop, refusal: str = "", ctx: Context | None = None) -> tuple[str, str]:
    """`finishReason` and `finishMessage`, '' for none. refusal: the model's words of refusal. ctx: to note what has no
    word in Gemini."""
    if stop == "refusal":
        return _REASONS[stop], refusal or _REFUSAL_MESSAGE
    if stop == "pause" and ctx is not None:
        ctx.note_weakened("finishReason")
    return _REASONS[stop], _CONTEXT_MESSAGE if stop == "context" else ""
