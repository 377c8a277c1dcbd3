"""Why an answer ended, from Gemini's words and into them."""

import pytest

from router.ir import Fault
from router.wire.gemini.stop_reasons import FAILURES, REFUSALS, decode_stop, describe_refusal, encode_stop

from ..translations import context


def decode(reason, *, called=False, said=True, message=""):
    ctx = context("gemini")
    found = decode_stop(reason, message, ctx, called=called, said=said)
    return found, [f"{loss.path}={loss.how}" for loss in ctx.losses]


@pytest.mark.parametrize(
    ("reason", "called", "wanted", "losses"),
    [
        ("STOP", False, "end", []),
        ("STOP", True, "tool", []),
        ("MAX_TOKENS", False, "length", []),
        ("MAX_TOKENS", True, "length", []),
        ("CONTINUATION", False, "length", ["finishReason CONTINUATION=weakened"]),
        ("FINISH_REASON_UNSPECIFIED", False, "end", []),
        ("SOMETHING_NEW", False, "end", ["finishReason SOMETHING_NEW=weakened"]),
        ("SOMETHING_NEW", True, "tool", ["finishReason SOMETHING_NEW=weakened"]),
        ("MALFORMED_FUNCTION_CALL", True, "tool", ["finishReason MALFORMED_FUNCTION_CALL=weakened"]),
        ("OTHER", False, "end", ["finishReason OTHER=weakened"]),
    ],
)
def test_reasons(reason, called, wanted, losses):
    """Each reason has a neutral one; what loses some of its meaning is noted."""
    assert decode(reason, called=called) == (wanted, losses)


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_refusals(reason):
    """An answer that is withheld is a refusal, with or without content."""
    assert decode(reason, said=False) == ("refusal", [])
    assert decode(reason, called=True) == ("refusal", [])


@pytest.mark.parametrize("reason", [*sorted(FAILURES), "MISSING_THOUGHT_SIGNATURE"])
def test_failures_without_content(reason):
    """An answer of nothing that went wrong is an error that may be tried again, and names the reason."""
    found, _ = decode(reason, said=False, message="Malformed function call: f(")
    assert found == Fault(502, "api_error", f"Gemini ended with {reason}: Malformed function call: f(")


def test_missing_signature_is_an_error_whatever_was_said():
    """A history that lacks a signature spoils the answer, which is not passed on as whole."""
    found, _ = decode("MISSING_THOUGHT_SIGNATURE", called=True)
    assert found == Fault(502, "api_error", "Gemini ended with MISSING_THOUGHT_SIGNATURE.")


def test_words_of_a_refusal():
    """Gemini's explanation counts, else its reason is told."""
    assert describe_refusal("SAFETY", "It was unsafe.") == "It was unsafe."
    assert describe_refusal("SPII", "") == "stopped by Gemini: SPII"


@pytest.mark.parametrize(
    ("stop", "wanted"),
    [
        ("end", ("STOP", "")),
        ("sequence", ("STOP", "")),
        ("tool", ("STOP", "")),
        ("length", ("MAX_TOKENS", "")),
        ("context", ("MAX_TOKENS", "The context window is full.")),
        ("pause", ("MAX_TOKENS", "")),
        ("refusal", ("SAFETY", "no")),
    ],
)
def test_written_reasons(stop, wanted):
    """Each neutral reason has one of Gemini's."""
    assert encode_stop(stop, "no") == wanted


def test_pause_is_noted():
    """A pause is written as a full output, which is a loss."""
    ctx = context("gemini")
    encode_stop("pause", ctx=ctx)
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses] == ["finishReason=weakened"]
