"""Estimates of tokens: near the truth at first, nearer in a session, and bounded in memory."""

import pytest

from router.policy.facts.token_estimates import (
    FIRST_RATIO,
    RATIOS,
    SESSIONS,
    SizedRequest,
    TokenEstimates,
    TokenRange,
)

# Client -> bytes of a recorded body without files, and the tokens of its texts by o200k, one turn after the other.
RECORDED = {
    "claude-code": ((48_024, 9_927), (83_002, 18_354), (93_290, 22_870)),
    "claude-code, newer": ((86_284, 18_741), (86_617, 18_790)),
    "codex": ((65_632, 13_096),),
    "codex, another model": ((40_492, 8_187),),
}


def sized(size, text=None, *, client="claude-code", model="m", session="s"):
    return SizedRequest(client, model, session, size, size if text is None else text)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_bodies_are_within_a_tenth(name):
    """A session of a coding agent, from its first request on, each estimated before its answer is known."""
    estimates, client = TokenEstimates(), name.partition(",")[0]
    for size, tokens in RECORDED[name]:
        found = estimates.estimate(sized(size, client=client))
        assert abs(found.estimate - tokens) <= 0.1 * tokens, (size, found)
        assert found.lower <= tokens <= found.upper
        estimates.observe(sized(size, client=client), tokens)


def test_a_session_counts_from_its_last_total():
    """What was added is divided by the session's own ratio, and the range is as narrow as what was added is small."""
    estimates = TokenEstimates()
    estimates.observe(sized(40_000), 20_000)
    assert estimates.estimate(sized(40_000)) == TokenRange(19_600, 20_000, 20_400)
    assert estimates.estimate(sized(44_000)).estimate == 22_000
    assert estimates.estimate(sized(30_000)).estimate == 15_000


def test_a_new_picture_is_no_text():
    """In a session whose bodies were measured; where the last was not, it cannot be more than the text there is."""
    estimates = TokenEstimates()
    estimates.observe(sized(45_000), 10_000)
    assert estimates.estimate(sized(100_000, 52_200)).estimate == 11_600
    estimates.observe(SizedRequest("claude-code", "m", "s", 45_000, None), 10_000)
    assert estimates.estimate(sized(170_000, 47_000)).estimate <= 10_000 + 47_000 / FIRST_RATIO + 1


def test_another_request_of_the_session_is_no_continuation():
    """One that is much smaller or larger is estimated by the ratio of its client and model."""
    estimates = TokenEstimates()
    estimates.observe(sized(40_000), 10_000)
    assert estimates.estimate(sized(4_000)).estimate == 1_000
    assert estimates.estimate(sized(400_000)).estimate == 100_000


def test_ratios_are_learned_by_client_and_model():
    """A model with another tokeniser has a ratio of its own, which follows the answers."""
    estimates = TokenEstimates()
    for _ in range(20):
        estimates.observe(sized(30_000, session="", model="new"), 10_000)
    assert estimates.estimate(sized(30_000, session="", model="new")).estimate == 10_000
    assert estimates.estimate(sized(45_000, session="", model="other")).estimate == 10_000


@pytest.mark.parametrize(("size", "tokens"), [(400_000, 10), (100, 90_000), (0, 0), (10, -1), (10, 10**9)])
def test_absurd_counts_teach_no_ratio(size, tokens):
    """What a server says of other things, such as a history that it keeps, changes nothing for other requests."""
    estimates = TokenEstimates()
    estimates.observe(sized(size, session=""), tokens)
    assert estimates.estimate(sized(45_000, session="")).estimate == 10_000


def test_memory_is_bounded():
    """Names are the callers' choice: their number and length are bounded."""
    estimates = TokenEstimates()
    for number in range(SESSIONS + 10):
        estimates.observe(sized(4_000, model=f"m{number}", session=f"s{number}"), 1_000)
    assert (len(estimates._ratios), len(estimates._sessions)) == (RATIOS, SESSIONS)
    estimates.observe(sized(4_000, model="m" * 300), 1_000)
    assert ("claude-code", "m" * 300) not in estimates._ratios


def lower_edge(estimates, request):
    return estimates.find_lower_edge(request, request.size if request.text is None else request.text)


@pytest.mark.parametrize("name", RECORDED)
def test_the_lower_edge_is_never_over_the_truth(name):
    """For recorded bodies, and it is no less than three quarters of that."""
    estimates, client = TokenEstimates(), name.partition(",")[0]
    for size, tokens in RECORDED[name]:
        found = lower_edge(estimates, sized(size, client=client))
        assert 0.75 * tokens <= found <= tokens, (size, found)
        estimates.observe(sized(size, client=client), tokens)


def test_a_ratio_of_other_texts_refuses_nothing():
    """It can only lower what a text has at least: the first file of figures says nothing of the next one of prose."""
    estimates = TokenEstimates()
    estimates.observe(sized(60_000, session="", model="dense"), 30_000)
    assert lower_edge(estimates, sized(60_000, session="", model="dense")) == 10_000
    estimates.observe(sized(60_000, session="", model="sparse"), 8_000)
    assert lower_edge(estimates, sized(60_000, session="", model="sparse")) == 6_400


def test_an_absurd_total_refuses_nothing():
    """A server that claims a thousand tokens for each byte does not end the session."""
    estimates = TokenEstimates()
    estimates.observe(sized(40_000), 40_000_000)
    assert lower_edge(estimates, sized(42_000)) == 7_000
