"""What a 404 says of backends whose models are not known: each with its reason and command, of many the first few."""

import pytest

from router.errors import LoopDetected, UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.gaps import Gap, describe_gaps
from router.policy.routing.routes import decide

from .tables import DEMO, LOCAL, table

OFF = Gap("off", "is disabled", "fairlead backend enable off")
DOWN = Gap("local", "did not send its model list: h:1 refused the connection", "fairlead backend test local")
SELF = Gap("self", "points to this proxy itself", "fairlead backend set self --base-url URL", loops=True)
OFF_SAID = "off is disabled: `fairlead backend enable off`."
DOWN_SAID = (
    "local did not send its model list: h:1 refused the connection: `fairlead backend test local`. "
    "Add one: `fairlead backend add NAME`."
)


def refused(model, *backends, error=UnknownModel, **options):
    with pytest.raises(error) as caught:
        decide(RoutingFacts("chat", model, stream=False), table(*backends, **options))
    return caught.value.message


def test_many_gaps():
    """A 404 stays short: three, and how many are left."""
    gaps = [Gap(f"b{number}", "is disabled", f"fairlead backend enable b{number}") for number in range(5)]
    assert describe_gaps(gaps[:1]) == "b0 is disabled: `fairlead backend enable b0`."
    assert describe_gaps(gaps).endswith("enable b2`. 2 more: `fairlead backend list`.")
    assert "b3" not in describe_gaps(gaps)
    assert describe_gaps([]) == ""


@pytest.mark.parametrize(
    ("backends", "gaps", "said"),
    [
        ((LOCAL, DEMO), [DOWN], f"Configured backends: local. {DOWN_SAID}"),
        ((DEMO,), [OFF], f"{OFF_SAID} Add one: `fairlead backend add NAME`. To try a tool without a backend, ask for "
         "the model demo."),
        ((DEMO,), [], "No backend is configured. Add one: `fairlead backend add NAME`. To try a tool without a "
         "backend, ask for the model demo."),
        ((LOCAL, DEMO), [], "Configured backends: local. Add one: `fairlead backend add NAME`."),
    ],
)  # fmt: skip
def test_the_reasons_are_in_the_answer(backends, gaps, said):
    """Those of every backend, after what is configured."""
    assert refused("unheard-of", *backends, gaps=gaps) == f"No backend serves the model 'unheard-of'. {said}"


def test_a_name_that_says_its_backend():
    """It is told that backend's reason alone, and goes neither to a family nor to the default."""
    wanted = f"No backend serves the model 'off:gpt-5': {OFF_SAID}"
    assert refused("off:gpt-5", LOCAL, DEMO, gaps=[OFF, DOWN], default="local") == wanted
    assert refused("x", LOCAL, DEMO, gaps=[OFF, DOWN], default="off") == wanted.replace("off:gpt-5", "x")
    listed = table(LOCAL, DEMO, gaps=[OFF], catalogs={"local": ("off:gpt-5",)})
    assert decide(RoutingFacts("chat", "off:gpt-5", stream=False), listed).backend is LOCAL


def test_a_provider_that_was_not_added():
    """Its name in front of a colon may be one: the command that adds it is named."""
    assert "If groq means the provider: `fairlead backend add groq`." in refused("groq:llama", LOCAL, DEMO)
    assert "means the provider" not in refused("nobody:llama", LOCAL, DEMO)


def test_the_demo_that_is_off():
    """It is turned on by a setting; it is no backend to add."""
    assert refused("demo:demo", LOCAL) == (
        "No backend serves the model 'demo:demo': demo is off: `fairlead config set demo on`."
    )


def test_a_loop_is_its_own_error():
    """508 for a request that names the proxy itself, also as the default; other names get a 404."""
    for model, options in (("self:m", {}), ("m", {"default": "self"})):
        said = refused(model, DEMO, error=LoopDetected, gaps=[SELF], **options)
        assert said == (
            f"The model '{model}' would come back to this proxy: self points to this proxy itself: "
            "`fairlead backend set self --base-url URL`."
        )
    assert "points to this proxy itself" in refused("m", DEMO, gaps=[SELF])
