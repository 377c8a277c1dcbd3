"""Names of a vendor's models are for that vendor's own backend, whatever other catalogs claim."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.backends import Backend
from router.backends.known import KNOWN
from router.errors import UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.gaps import Gap
from router.policy.routing.model_list import list_models
from router.policy.routing.routes import decide
from router.policy.routing.table import Table

FAMILIES = {entry.name: entry.families for entry in KNOWN.values()}
PUBLISHED = {entry.name: entry.published for entry in KNOWN.values() if entry.published}
ALL = ("messages", "chat", "responses")
FREE = Backend(name="free", root="https://free.example/v1", protocols=ALL)
OLLAMA = Backend(name="ollama", root="http://127.0.0.1:11434/v1", protocols=ALL, vendor="ollama")


def vendor(known, **fields):
    entry = KNOWN[known]
    return Backend(**{"name": known, "root": entry.root, "protocols": entry.protocols, "vendor": known, **fields})


ANTHROPIC, OPENAI, DEEPSEEK, MISTRAL = (vendor(name) for name in ("anthropic", "openai", "deepseek", "mistral"))


def table(catalogs, *backends, **options):
    return Table(backends, catalogs, FAMILIES, options.pop("default", None), published=PUBLISHED, **options)


def goes(model, made, protocol="messages"):
    found = decide(RoutingFacts(protocol, model, stream=False, generates=True), made)
    return found.backend.name, found.model


CLAIMS = {
    "free": ("claude-opus-99", "claude-sonnet-5", "gpt-5", "opus", "haiku", "claude-3-opus-20240229", "o7", "gpt"),
    "anthropic": ("claude-opus-5", "claude-sonnet-4-6"),
    "openai": ("gpt-5.5", "gpt-4o"),
}


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("opus", ("anthropic", "claude-opus-5")),
        ("Opus[1m]", ("anthropic", "claude-opus-5")),
        ("sonnet", ("anthropic", "claude-sonnet-4-6")),
        ("claude-opus-99", ("anthropic", "claude-opus-99")),
        ("claude-opus-99[1m]", ("anthropic", "claude-opus-99")),
        ("claude-sonnet-5", ("anthropic", "claude-sonnet-5")),
        ("claude-3-opus-20240229", ("anthropic", "claude-3-opus-20240229")),
        ("gpt-5", ("openai", "gpt-5")),
        ("o7", ("openai", "o7")),
        ("gpt", ("openai", "gpt-5.5")),
        # The user's own word.
        ("free:opus", ("free", "opus")),
        ("free:claude-opus-99", ("free", "claude-opus-99")),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_catalog_takes_no_name_from_its_vendor(model, wanted, first):
    """Neither a new name, nor a shortcut, nor one that is listed as a shortcut is called; in whatever order added."""
    backends = (FREE, ANTHROPIC, OPENAI) if first else (OPENAI, ANTHROPIC, FREE)
    assert goes(model, table(CLAIMS, *backends)) == wanted


@pytest.mark.parametrize("model", ["haiku", "opus30", "haiku[1m]"])
def test_a_shortcut_that_the_vendor_has_no_model_for_goes_nowhere(model):
    """A 404, which says behind which prefix it would be served; or the default, which is the user's word."""
    catalogs = {**CLAIMS, "free": ("claude-haiku-4-5", "claude-3-opus-20240229", "haiku")}
    with pytest.raises(UnknownModel, match=r"Nearest: free:claude-haiku-4-5|Nearest: claude-opus-5"):
        goes(model, table(catalogs, FREE, ANTHROPIC))
    assert goes(model, table(catalogs, FREE, ANTHROPIC, default="free")) == ("free", model)


def test_a_catalog_that_was_not_read_gives_no_name_away():
    """While the vendor's list is not known, nobody else's stands for it."""
    catalogs = {"free": CLAIMS["free"]}
    assert goes("claude-opus-99", table(catalogs, FREE, ANTHROPIC)) == ("anthropic", "claude-opus-99")
    with pytest.raises(UnknownModel):
        goes("opus", table(catalogs, FREE, ANTHROPIC))


def test_without_the_vendor_others_serve():
    """Users with a gateway or a local server only: a catalog is believed as before."""
    made = table({"free": CLAIMS["free"], "ollama": ("claude-local",)}, FREE, OLLAMA)
    assert goes("claude-opus-99", made) == ("free", "claude-opus-99")
    assert goes("claude-local", made) == ("ollama", "claude-local")
    assert goes("opus", made) == ("free", "opus")
    assert goes("sonnet", made) == ("free", "claude-sonnet-5")


def test_a_disabled_vendor_is_none_and_an_unreadable_one_is_meant():
    """Who disables a backend wants others to serve; a broken file must not send prompts elsewhere."""
    disabled = Gap("anthropic", "is disabled", "fairlead backend enable anthropic")
    broken = Gap("anthropic", "cannot be read", "fairlead backend remove anthropic", unread=True)
    catalogs = {"free": CLAIMS["free"]}
    assert goes("claude-opus-99", table(catalogs, FREE, gaps=(disabled,))) == ("free", "claude-opus-99")
    for model in ("claude-opus-99", "opus", "sonnet"):
        with pytest.raises(UnknownModel, match="anthropic cannot be read"):
            goes(model, table(catalogs, FREE, gaps=(broken,)))
    work = vendor("anthropic", name="work")
    assert goes("claude-opus-99", table(catalogs, FREE, work, gaps=(broken,))) == ("work", "claude-opus-99")


@pytest.mark.parametrize(
    ("model", "lister"),
    [
        ("gpt-oss:20b", "ollama"),
        ("gpt-oss-120b", "free"),
        ("deepseek-r1:8b", "ollama"),
        ("deepseek-r1-distill-llama-70b", "free"),
        ("mistral-nemo", "ollama"),
        ("mistral-small-24b-instruct-2501", "ollama"),
        ("codestral:22b", "ollama"),
        ("text-embedding-nomic-embed-text-v1.5", "ollama"),
        ("claude-opus-5:free", "free"),
        ("anthropic/claude-opus-5", "free"),
    ],
)
def test_published_weights_are_those_of_many_servers(model, lister):
    """A local server's model stays there beside the cloud of who made it: prompts for it must not leave the machine."""
    backends = (ANTHROPIC, OPENAI, DEEPSEEK, MISTRAL, FREE, OLLAMA)
    assert goes(model, table({lister: (model,)}, *backends), "chat")[0] == lister


@pytest.mark.parametrize(
    ("model", "owner"),
    [
        ("deepseek-chat", "deepseek"),
        ("deepseek-reasoner", "deepseek"),
        ("mistral-large-latest", "mistral"),
        ("codestral-2508", "mistral"),
        ("text-embedding-3-small", "openai"),
        ("gpt-oss-120b", "openai"),
        ("mistral-nemo", "mistral"),
    ],
)
def test_a_tie_is_the_vendors(model, owner):
    """What its vendor lists too goes there; what only its own service has goes there in any case."""
    listing = {"free": (model,), owner: (model,)}
    assert goes(model, table(listing, FREE, ANTHROPIC, OPENAI, DEEPSEEK, MISTRAL), "chat") == (owner, model)


def test_two_backends_of_a_vendor():
    """The one that lists it, then the one that speaks the protocol, then the one that needs no login for it."""
    login, key, work = (
        vendor("anthropic", auth="client"),
        vendor("anthropic", name="key"),
        vendor("anthropic", name="w"),
    )
    catalogs = {"anthropic": ("claude-a",), "key": ("claude-a",), "w": ("claude-b",)}
    assert goes("claude-a", table(catalogs, login, key, work)) == ("anthropic", "claude-a")
    assert goes("claude-a", table(catalogs, login, key, work), "chat") == ("key", "claude-a")
    assert goes("claude-b", table(catalogs, login, key, work)) == ("w", "claude-b")
    assert goes("claude-c", table(catalogs, login, key, work)) == ("anthropic", "claude-c")
    assert goes("claude-c", table(catalogs, login, key, work), "chat") == ("key", "claude-c")


def test_what_is_listed_is_what_is_served():
    """A claim stands in the list of models behind the prefix that serves it; the plain name is the vendor's."""
    listed = list_models(table(CLAIMS, FREE, ANTHROPIC, OPENAI))
    assert {name: owner for name, owner in listed.items() if "opus" in name} == {
        "free:claude-opus-99": "free",
        "free:opus": "free",
        "free:claude-3-opus-20240229": "free",
        "claude-opus-5": "anthropic",
    }


def test_the_trace_says_who_was_passed_over():
    """`explain` shows that others list the name, and how to ask them."""
    trace = []
    decide(RoutingFacts("messages", "claude-opus-99", stream=False), table(CLAIMS, FREE, ANTHROPIC), trace=trace)
    assert [(step.step, step.text) for step in trace if step.step in ("vendor", "catalog", "family")] == [
        ("vendor", "a name of anthropic; free would serve it by prefix, alias, rule or fallback"),
        ("catalog", "in no model list of anthropic"),
        ("family", "a model of the family of anthropic"),
    ]


NAMES = st.sampled_from(
    ["claude-opus-5", "claude-x", "opus", "gpt", "gpt-5", "o9", "gemini-3-pro", "grok-4", "sonnet46", "chatgpt-1"]
)
VENDORS = st.lists(st.sampled_from(["anthropic", "openai", "gemini", "xai"]).map(vendor), max_size=4, unique=True)


@given(NAMES, VENDORS, st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=4), st.sampled_from([*ALL]))
def test_no_claim_moves_a_name_of_a_vendor(model, backends, claimed, listed, protocol):
    """Whatever strangers list, and in whatever order they were added: the route is the same as without them."""
    own = {one.name: listed for one in backends}
    stranger = msgspec.structs.replace(FREE, name="stranger")
    alone = table(own, *backends)
    if not alone.vendor_names.find(model).backends:
        return
    try:
        wanted = goes(model, alone, protocol)
    except UnknownModel:
        wanted = None
    for order in ((stranger, *backends), (*backends, stranger)):
        made = table({**own, "stranger": claimed}, *order)
        if wanted is None:
            with pytest.raises(UnknownModel):
                goes(model, made, protocol)
        else:
            assert goes(model, made, protocol) == wanted
