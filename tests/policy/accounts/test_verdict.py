"""What the error of an upstream means for its account: by its status, its header fields, and its words."""

import json

import pytest

from router.policy.accounts.retry import Fault
from router.policy.accounts.session_key import find_family
from router.policy.accounts.verdict import classify_answer, read_cooldown

DATE = (b"date", b"Sat, 01 Aug 2026 12:00:00 GMT")


def said(message, **more):
    """An error as OpenAI's protocols have it."""
    return json.dumps(
        {"error": {"message": message, "type": "some_error", "param": None, "code": None, **more}}
    ).encode()


def anthropic(message, kind="invalid_request_error"):
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def google(message, *details, listed=False):
    """An error as Google has it; its compatible endpoint puts it into a list."""
    error = {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}}
    return json.dumps([error] if listed else error).encode()


def retry_info(delay):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota_failure(*ids):
    violations = [{"quotaMetric": "m", "quotaId": one, "quotaDimensions": {"location": "global"}} for one in ids]
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


def test_faults_of_statuses():
    """4xx other than 401, 403 and 429 are final."""
    found = {status: classify_answer(status) for status in (200, 304, 400, 401, 403, 404, 413, 429, 500, 503, 529)}
    assert [status for status, fault in found.items() if fault is None] == [200, 304, 400, 404, 413]
    assert (found[401], found[403], found[429], found[529]) == (
        Fault.AUTH_REJECTED,
        Fault.AUTH_REJECTED,
        Fault.LIMITED,
        Fault.FAILED,
    )


TPM = "Request too large for model `llama-3` on tokens per minute (TPM): Limit 6000, Requested {}."


def test_a_limit_of_rate_that_is_told_as_a_413():
    """Where it says when to try again it closes the model for so long; else the request alone is over it, and no
    account of the backend would do better. A request that is too large for anything else stays final."""
    for body in (said(TPM.format(9000)), said("no", code="rate_limit_exceeded"), TPM.format(9000).encode()):
        assert classify_answer(413, body) is Fault.REQUEST_REJECTED
    body = said(TPM.format(900) + " Please try again in 7s.")
    assert classify_answer(413, body) is Fault.LIMITED
    cooldown = read_cooldown({}, body, "", "llama-3", status=413)
    assert (cooldown.kind, cooldown.seconds, cooldown.models) == ("window", 7.0, "llama-3")
    for body in (b"", said("Request exceeds the maximum size."), said("prompt is too long", type="request_too_large")):
        assert classify_answer(413, body) is None


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 500, "message": "the request exceeds the available context size. try increasing it"}},
        {"error": {"type": "exceed_context_size_error", "message": "no"}},
        {"error": "prompt too long; exceeded max context length by 4 tokens"},
        {"code": "context_length_exceeded", "message": "no"},
        [{"error": {"message": "The input token count (9) exceeds the maximum."}}],
    ],
)
@pytest.mark.parametrize("status", [500, 503])
def test_a_request_that_is_too_long_is_no_fault_of_its_account(body, status):
    """llama.cpp and Ollama say it with a 500: it is final, as with a 400."""
    assert classify_answer(status, json.dumps(body).encode()) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"error":{"message":"out of memory"}}', b'{"error":{"message":"too many tokens per minute"}}'],
)
def test_any_other_500_is_a_fault(body):
    """What does not speak of the context is an account's failure."""
    assert classify_answer(500, body) is Fault.FAILED


@pytest.mark.parametrize(
    ("fields", "body", "kind", "seconds"),
    [
        ({b"retry-after": b"2"}, b"", "burst", 2.0),
        ({b"retry-after-ms": b"800"}, b"", "burst", 0.8),
        ({b"retry-after": b"2280"}, b"", "window", 2280.0),
        ({b"retry-after": b"1e12"}, b"", "window", 60.0),
        ({}, b"", "window", 60.0),
        ({b"retry-after": b"2"}, b'{"error":{"code":"insufficient_quota"}}', "quota", 600.0),
        ({b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"6m0s"}, b"", "window", 360.0),
    ],
)
def test_kinds_of_429(fields, body, kind, seconds):
    """A burst ends in a moment, a window at its reset, a quota with money."""
    cooldown = read_cooldown(fields, body, "")
    assert (cooldown.kind, cooldown.seconds) == (kind, seconds)
    assert cooldown.words.startswith(f"429 {kind}")


def test_429s_of_a_family():
    """A limit that one family of models has used up parks the account for those models alone."""
    prefix = b"anthropic-ratelimit-unified-7d_opus-"
    fields = {
        b"date": b"Thu, 01 Jan 2026 00:00:00 GMT",
        prefix + b"utilization": b"1.03",
        prefix + b"reset": b"1767226500",
        b"x-ratelimit-remaining-tokens": b"0",
        b"x-ratelimit-reset-tokens": b"45",
    }
    assert read_cooldown(fields, b"", "opus")[1:4] == (900.0, "7d_opus", "opus")
    assert read_cooldown(fields, b"", "haiku")[1:4] == (45.0, "tokens", "")


EXCEEDED = "You exceeded your current quota, please check your plan and billing details."
MINUTE_OF_MODEL = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
DAY_OF_MODEL = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (google(EXCEEDED, retry_info("2s")), 2.0),
        (google(f"{EXCEEDED} Please retry in 2.5s.", retry_info("2s")), 2.5),
        (google(EXCEEDED, retry_info("48.936s"), listed=True), 48.936),
        (google(f"{EXCEEDED} Please retry in 948.6ms."), 0.9486),
        (google("Resource has been exhausted.", retry_info("0s")), 60.0),
        (said("Rate limit reached on tokens per min (TPM): Limit 30000. Please try again in 7.2s. Visit x"), 7.2),
        (said("Rate limit reached. Please try again in 1m30s."), 90.0),
        (said("Rate limit reached. Please try again in 20ms."), 0.02),
        (said("Rate limit reached. Please try again in 6m0s."), 360.0),
        (said("Please retry after 2 seconds."), 2.0),
        (said("request reached max request: 3, please try again after 1 seconds"), 1.0),
        (said("Try again in 1 minute and 5 seconds."), 65.0),
        (said("Slow down.", retry_after=12), 12.0),
        (said("Slow down.", retry_after_ms=1500), 1.5),
        (said("The usage limit has been reached", resets_in_seconds=602639), 602639.0),
        (said("Provider returned error", metadata={"headers": {"Retry-After": "33"}}), 33.0),
        (said("Provider returned error", metadata={"raw": google(EXCEEDED, retry_info("17s")).decode()}), 17.0),
        (said("Slow down.", metadata={"headers": {"X-RateLimit-Reset": "1785585900000"}}), 300.0),
        (said("Please try again in 999999999999 days."), 60.0),
        (said("Please try again in a moment."), 60.0),
    ],
)
def test_a_wait_that_only_the_body_tells(body, seconds):
    """The account is closed until then, not for a minute, and not as if its money were used up."""
    cooldown = read_cooldown(dict((DATE,)), body, "")
    assert cooldown.seconds == pytest.approx(seconds)
    assert cooldown.kind == ("burst" if seconds <= 5 else "window")


def test_the_longer_of_two_waits_counts():
    """What is free again at the earlier time alone would be refused once more."""
    body = said("Please try again in 7.2s.")
    assert read_cooldown({b"retry-after": b"30"}, body, "").seconds == 30.0
    assert read_cooldown({b"retry-after": b"2"}, body, "").seconds == 7.2
    full = {b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"6m0s"}
    assert read_cooldown(full, body, "").seconds == 7.2


@pytest.mark.parametrize(
    ("date", "ids", "delay", "seconds"),
    [
        # California: 05:00 in summer, 04:00 in winter.
        (b"Sat, 01 Aug 2026 12:00:00 GMT", (DAY_OF_MODEL,), "31s", 19 * 3600.0),
        (b"Sun, 01 Feb 2026 12:00:00 GMT", (DAY_OF_MODEL,), "31s", 20 * 3600.0),
        (b"Sat, 01 Aug 2026 12:00:00 GMT", (MINUTE_OF_MODEL, DAY_OF_MODEL), "31s", 19 * 3600.0),
        (b"Sat, 01 Aug 2026 12:00:00 GMT", (DAY_OF_MODEL,), "7200s", 7200.0),
        (b"Sat, 01 Aug 2026 12:00:00 GMT", (MINUTE_OF_MODEL,), "31s", 31.0),
        (b"", (DAY_OF_MODEL,), "31s", 3600.0),
    ],
)
def test_a_quota_of_a_day(date, ids, delay, seconds):
    """Google tells the wait of a minute beside a quota of the day, which ends at midnight in California."""
    fields = {b"date": date} if date else {}
    body = google(EXCEEDED, quota_failure(*ids), retry_info(delay))
    assert read_cooldown(fields, body, "", "gemini-2.5-pro").seconds == seconds


def test_a_tier_without_any_quota_of_a_model():
    """`limit: 0` does not pass in the seconds that the answer tells."""
    body = google(
        f"{EXCEEDED}\n* Quota exceeded for metric: m, limit: 0", quota_failure(MINUTE_OF_MODEL), retry_info("9s")
    )
    assert read_cooldown({}, body, "", "gemini-2.5-pro")[1:4] == (3600.0, "", "gemini-2.5-pro")


@pytest.mark.parametrize(
    ("model", "body", "models"),
    [
        ("gemini-2.5-flash", google(EXCEEDED, quota_failure(MINUTE_OF_MODEL)), "gemini-2.5-flash"),
        ("gemini-2.5-flash", google(EXCEEDED, quota_failure("RequestsPerMinutePerProject")), ""),
        ("gemini-2.5-flash", google(EXCEEDED, quota_failure(MINUTE_OF_MODEL, "TokensPerMinutePerProject")), ""),
        (
            "gemini-2.5-flash",
            google("Quota exceeded, limit: 5, model: gemini-2.5-flash\nPlease retry in 2s."),
            "gemini-2.5-flash",
        ),
        ("gpt-4o", said("Rate limit reached for gpt-4o in organization org-1 on tokens per min."), "gpt-4o"),
        ("gpt-4o-2024-08-06", said("Rate limit reached for gpt-4o in organization org-1."), "gpt-4o-2024-08-06"),
        ("gpt-4o-mini", said("Rate limit reached for gpt-4 in organization org-1."), ""),
        ("llama-3.3-70b", said("Rate limit reached for model `llama-3.3-70b` in organization `o`."), "llama-3.3-70b"),
        (
            "google/gemini-2.0-flash-exp:free",
            said(
                "Provider returned error",
                metadata={"raw": "google/gemini-2.0-flash-exp:free is rate-limited upstream."},
            ),
            "google/gemini-2.0-flash-exp:free",
        ),
        ("qwen/qwen3:free", said("Rate limit exceeded: free-models-per-min."), ":free"),
        ("qwen/qwen3", said("Rate limit exceeded: limit_rpm"), ""),
        ("m", said("I'm at a limit of m tokens."), ""),
    ],
)
def test_a_limit_of_one_model(model, body, models):
    """Google's quotas say so, other providers name the model; what costs nothing has limits of its own."""
    assert read_cooldown({}, body, find_family(model), model).models == models


NO_MONEY = [
    (400, anthropic("Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.")),
    (400, anthropic("You have reached your specified API usage limits. You will regain access on 2026-09-01.")),
    (400, said("Access denied.", code="Arrearage", type="Arrearage")),
    (
        400,
        said('BadRequestError: AnthropicException - {"error":{"message":"Your credit balance is too low."}}'),
    ),
    (401, said("You exceeded it.", type="insufficient_quota")),
    (402, b""),
    (402, said("Insufficient Balance", code="invalid_request_error")),
    (402, said("Insufficient credits. Add more using https://openrouter.ai/settings/credits", code=402)),
    (
        403,
        said(
            "Your account org-1 is not active, organization exceeded current quota", type="exceeded_current_quota_error"
        ),
    ),
    (
        403,
        json.dumps(
            {
                "code": "no",
                "error": "Your team x has either used all available credits or reached its monthly spending limit.",
            }
        ).encode(),
    ),
    (412, said("Account suspended, possibly due to reaching the monthly spending limit.")),
    (429, said("You exceeded it.", code="insufficient_quota", type="insufficient_quota")),
    (429, said(EXCEEDED)),
    (429, said("[1113][Insufficient balance or no resource package. Please recharge.]", code="1113")),
    (429, said("\u4f59\u989d\u4e0d\u8db3\u6216\u65e0\u53ef\u7528\u8d44\u6e90\u5305", code="1113")),
    (
        429,
        said("Your account org-1 <ak-1> is suspended due to insufficient balance", type="exceeded_current_quota_error"),
    ),
    (500, said("It failed.", code="insufficient_quota")),
]


@pytest.mark.parametrize(("status", "body"), NO_MONEY)
def test_money_that_is_used_up(status, body):
    """In every status and spelling: the next account is asked, and this one is left alone for ten minutes."""
    assert classify_answer(status, body) is Fault.LIMITED
    cooldown = read_cooldown({}, body, "", "gpt-5", status=status)
    assert (cooldown.kind, cooldown.seconds, cooldown.models) == ("quota", 600.0, "")
    assert cooldown.words == f"{status} quota, reset in 10 min"


@pytest.mark.parametrize(
    "body",
    [
        anthropic("messages.1.content.0: the text 'Your credit balance is too low' cannot be read."),
        said('Invalid value: "insufficient_quota". Supported values are: "a", "b".', param="tools[0].name"),
        said("Unknown tool `insufficient_quota`."),
        said("prompt is too long: 250000 tokens > 200000 maximum", code="context_length_exceeded"),
        b"The text credit balance is too low, of a page",
        json.dumps({"error": {"message": "no"}, "input": "credit balance is too low"}).encode(),
    ],
)
def test_a_400_about_the_request_stays_final(body):
    """An error that repeats what the request holds says nothing of money: a request must not close accounts."""
    assert classify_answer(400, body) is None


def test_money_for_smaller_requests_is_left():
    """402 about the size of a request moves on and closes nothing."""
    body = said(
        "This request requires more credits, or fewer max_tokens. You requested 65536, but can only afford 900."
    )
    assert classify_answer(402, body) is Fault.LIMITED
    assert read_cooldown({}, body, "", "m", status=402) is None


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            said("Your chosen model requires moderation and your input was flagged", metadata={"flagged_input": "x"}),
            Fault.REQUEST_REJECTED,
        ),
        (
            said("Country, region, or territory not supported", code="unsupported_country_region_territory"),
            Fault.REQUEST_REJECTED,
        ),
        (anthropic("Request not allowed", "forbidden"), Fault.REQUEST_REJECTED),
        (said("this model requires a subscription"), Fault.AUTH_REJECTED),
        (b"", Fault.AUTH_REJECTED),
    ],
)
def test_a_403_about_the_request(body, fault):
    """Moderation and region say nothing about a key."""
    assert classify_answer(403, body) is fault
    assert classify_answer(401, body) is Fault.AUTH_REJECTED
