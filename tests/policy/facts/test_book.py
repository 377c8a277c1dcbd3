"""The order of the sources, and which of them may have a request refused."""

import pytest

from router.backends import Backend
from router.policy.facts.book import KNOWN_LIMIT, LEARNED_SECONDS, FactBook
from router.policy.facts.learned import LearnedLimit, LearnedLimits
from router.policy.facts.listed import Allocated, BackendFacts, Said
from router.policy.facts.model_facts import ModelFacts
from router.policy.facts.words import describe_end, describe_facts, describe_limits
from router.settings.tables import ModelOptions

NOW = 1_796_000_000.0


class Learned:
    """What errors told."""

    def __init__(self, taken=0, **limits):
        self.limits, self.most = limits, taken

    def learned(self, backend, model):
        return self.limits.get(f"{backend}_{model}")

    def taken(self, backend, model):
        return self.most


def told(window=None, max_input=None, at=NOW):
    return LearnedLimit(window, max_input, at)


def backend(name="up", vendor=""):
    return Backend(name=name, root=f"https://{name}.example/v1", protocols=("chat",), vendor=vendor)


def book(*, options=None, said=None, allocated=None, learned=None, taken=0, vendor="openai"):
    facts = BackendFacts(
        said={"gpt-5": Said(said, "2026-11-02")} if said else {},
        allocated={"gpt-5": Allocated(allocated, NOW, "2026-11-03")} if allocated else {},
        asks_server=allocated is not None,
    )
    return FactBook(
        {"up": backend(vendor=vendor)},
        options or {},
        {"up": facts},
        Learned(taken, **({"up_gpt-5": learned} if learned else {})),
    )


def window(found):
    fact = found.origin_of("window")
    return fact.value, fact.source


SOURCES = [
    ("options", {"gpt-5": ModelOptions(window=1000)}, 1000, "config.toml"),
    ("learned", told(window=2000), 2000, "learned from an error"),
    ("allocated", 3000, 3000, "allocated by the server"),
    ("said", ModelFacts(window=4000), 4000, "model list of up"),
    ("", None, 400_000, "shipped table"),
]


@pytest.mark.parametrize("first", range(len(SOURCES)), ids=[entry[0] or "shipped" for entry in SOURCES])
def test_the_order_of_the_sources(first):
    """Each counts before all that follow it."""
    given = {name: value for name, value, _, _ in SOURCES[first:] if name}
    assert window(book(**given).find("up", "gpt-5")) == SOURCES[first][2:]


def test_each_fact_has_its_own_source():
    """What the strongest source does not say comes from the next, with its day."""
    found = book(said=ModelFacts(max_output=5000), learned=told(max_input=200_000)).find("up", "gpt-5")
    assert describe_facts(found) == (
        "400,000 window, text+image, effort minimal+low+medium+high (shipped table 2026-11-20); "
        "200,000 in (learned from an error 2026-11-30); 5,000 out (model list of up 2026-11-02)"
    )
    assert describe_limits(found) == "400,000 window, 200,000 in, 5,000 out"
    assert describe_end(found) == "ends 2026-12-11, its successor is gpt-5.6-sol (shipped table 2026-11-20)"


def test_a_limit_that_a_stronger_source_rules_out():
    """More input than the whole window is nonsense of the weaker source, and is left out."""
    found = book(learned=told(window=128_000)).find("up", "gpt-5")
    assert (found.facts.window, found.facts.max_input, found.facts.max_output) == (128_000, None, 128_000)
    assert found.input_limit.value == 128_000


def test_only_what_is_known_of_this_backend_may_refuse():
    """Neither the table nor a list may, nor a limit that is a day old; a request for a larger window overrules it."""
    hard = {"now": NOW}
    assert book(said=ModelFacts(window=4000)).find_refusing_limit("up", "gpt-5", **hard) is None
    assert book(allocated=3000).find_refusing_limit("up", "gpt-5", **hard).value == 3000
    assert (
        book(options={"up:gpt-5": ModelOptions(window=1000)}).find_refusing_limit("up", "gpt-5", **hard).value == 1000
    )
    learned = book(learned=told(window=200_000))
    assert learned.find_refusing_limit("up", "gpt-5", **hard).value == 200_000
    assert learned.find_refusing_limit("up", "gpt-5", now=NOW + LEARNED_SECONDS + 1) is None
    assert learned.find_refusing_limit("up", "gpt-5", now=NOW, raised=True) is None
    both = book(learned=told(window=200_000), options={"gpt-5": ModelOptions(window=9000)})
    assert both.find_refusing_limit("up", "gpt-5", **hard).value == 9000


@pytest.mark.parametrize("first", range(len(SOURCES)), ids=[entry[0] or "shipped" for entry in SOURCES])
def test_the_short_look_misses_no_limit(first):
    """Where it says that there is none, the long one finds none."""
    given = {name: value for name, value, _, _ in SOURCES[first : first + 1] if name}
    one = book(**given)
    found = one.find_refusing_limit("up", "gpt-5", now=NOW)
    assert one.may_limit("up", "gpt-5") or found is None
    assert one.may_limit("up", "gpt-5") is bool({"options", "learned", "allocated"} & given.keys())


def test_a_setting_for_one_backend_alone():
    """It counts before the one for the model everywhere; both in any case."""
    options = {"up:gpt-5": ModelOptions(window=1000), "gpt-5": ModelOptions(window=2000)}
    assert window(book(options=options).find("up", "GPT-5"))[0] == 1000
    other = FactBook({"other": backend("other")}, options, {})
    assert window(other.find("other", "gpt-5"))[0] == 2000


def test_a_model_that_is_not_loaded():
    """Its window is not known, whatever it was trained for, and nobody else's table is asked."""
    facts = BackendFacts(said={"claude-x": Said(ModelFacts(trained_window=8192), "2026-11-02")}, asks_server=True)
    one = FactBook({"up": backend(vendor="ollama")}, {}, {"up": facts})
    found = one.find("up", "claude-x")
    assert found.unloaded
    assert one.is_unloaded("up", "claude-x")
    assert describe_facts(found) == "window unknown until loaded (trained for 8,192)"
    assert one.find_refusing_limit("up", "claude-x", now=NOW) is None
    assert FactBook({"up": backend(vendor="ollama")}, {}, {}).find("up", "claude-opus-5").origins == {}


def test_a_gateway_s_models_are_known_by_name():
    """As the vendor's that alone sells them, and the source says so; models with open weights are not."""
    found = book(vendor="").find("up", "openai/gpt-5")
    assert window(found) == (400_000, "shipped table, by name")
    assert book(vendor="").find("up", "openai/gpt-oss-120b").origins == {}
    assert book(vendor="groq").find("up", "gpt-5").origins == {}


def test_any_number_of_names_may_be_asked_for():
    """Names come from callers: a bounded number is remembered."""
    one = book()
    for place in range(KNOWN_LIMIT + 10):
        one.find("up", f"m{place}")
    assert len(one._lower) <= KNOWN_LIMIT
    assert window(one.find("up", "gpt-5"))[0] == 400_000


@pytest.mark.parametrize(
    ("given", "limit", "refuses"),
    [
        ({"vendor": "groq"}, 128, False),
        ({"vendor": "groq"}, 1024, True),
        ({}, 67_999, False),  # the table says 272,000 of input
        ({}, 68_000, True),
        ({"said": ModelFacts(window=4000)}, 1000, True),
        ({"allocated": 131_072}, 4096, False),
        ({"taken": 100_001}, 100_000, False),
        ({"taken": 100_000}, 100_000, True),
    ],
    ids=str,
)
def test_which_told_limits_refuse(given, limit, refuses):
    """A tiny one, one that is far below what others say, and one below what an answer has shown shut no model off; they
    are known all the same. That holds for the links of a chain too."""
    one = book(learned=told(window=limit), **given)
    found = one.find_refusing_limit("up", "gpt-5", now=NOW)
    assert (found is not None and found.source == "learned from an error") is refuses
    hop = one.find_refusing_limit("up", "gpt-5", now=NOW, of_chain=True)
    assert (hop is not None and hop.value == limit) is refuses
    assert window(one.find("up", "gpt-5")) == (limit, "learned from an error")


def test_a_chain_passes_over_a_model_for_any_limit():
    """Its list's word is enough, and the table's."""
    hop = {"now": NOW, "of_chain": True}
    assert book(said=ModelFacts(window=4000)).find_refusing_limit("up", "gpt-5", **hop).value == 4000
    assert book().find_refusing_limit("up", "gpt-5", **hop).value == 272_000
    assert book(vendor="groq").find_refusing_limit("up", "gpt-5", **hop) is None


@pytest.mark.parametrize(
    ("at", "allocated", "counts"),
    [(NOW - 1, 16_384, "allocated by the server"), (NOW, 16_384, "learned from an error")],
    ids=["before", "after"],
)
def test_a_server_that_was_started_with_more(at, allocated, counts):
    """What it says after the error that it has allocated counts, and what it had said before does not; less than the
    error told proves nothing."""
    one = book(learned=told(window=8192, at=at), allocated=allocated)
    assert one.find("up", "gpt-5").origin_of("window").source == counts
    assert one.find_refusing_limit("up", "gpt-5", now=NOW).source == counts
    less = book(learned=told(window=8192, at=at), allocated=4096)
    assert less.find("up", "gpt-5").origin_of("window").source == "learned from an error"


def test_any_number_of_limits_may_be_told():
    """An upstream that tells another one each time fills no memory."""
    limits = LearnedLimits()
    one = FactBook({"up": backend()}, {}, {}, limits)
    for place in range(KNOWN_LIMIT + 10):
        limits.learn("up", "m", window=4096 + place, at=NOW)
        assert window(one.find("up", "m"))[0] == 4096 + place
    assert len(one._known) <= KNOWN_LIMIT
