"""What probes saw, compared with a profile."""

from router.backends.profile import Profile
from router.conform.profile_diff import find_differences, merge_differences
from router.conform.record import Difference, Finding, Member
from router.settings.profile import PROFILE


def find(profile, **findings):
    """Flag -> the values now and seen."""
    found = find_differences(profile, {name: Finding("yes", "", flags) for name, flags in findings.items()})
    return {one.flag: (one.now, one.seen) for one in found}


def test_only_what_differs_is_offered():
    """A flag that fits is no difference."""
    assert find(Profile(), a={"single_system": True, "stream_usage": True}) == {"single_system": (False, True)}


def test_lists_are_put_together():
    """Several probes may each say of one value whether a list has it."""
    seen = {"a": {"shapes": Member("json_schema", False)}, "b": {"shapes": Member("json_object", True)}}
    assert find(Profile(), **seen) == {"shapes": (["json_schema", "json_object"], ["json_object"])}
    several = {"a": {"efforts": [Member("max", False), Member("low", True)]}}
    assert find(Profile(efforts=("low", "max")), **several) == {"efforts": (["low", "max"], ["low"])}
    assert find(Profile(), c={"sampling": Member("top_k", True)})["sampling"][1] == ["temperature", "top_k", "top_p"]


def test_what_is_offered_can_be_configured():
    """Each value is one that the setting takes, and gives the profile that was seen."""
    found = find_differences(
        Profile(),
        {"a": Finding("no", "", {"prefill": "continue", "stop_max": 0, "shapes": Member("json_schema", False)})},
    )
    read = PROFILE.parse_value({one.flag: one.seen for one in found})
    assert read == {"prefill": "continue", "stop_max": 0, "shapes": ("json_object",)}


def test_the_probes_are_named():
    """A difference names each probe that shows it."""
    finding = Finding("no", "", {"single_system": True})
    [one] = find_differences(Profile(), {"roles.a": finding, "roles.b": finding})
    assert list(one.probes) == ["roles.a", "roles.b"]


def test_a_run_of_some_probes_keeps_the_others():
    """What an earlier run saw stays offered until its probe says otherwise, or the profile has it."""
    before = [
        Difference(flag="stop_max", now=4, seen=16, probes=("output.stop",)),
        Difference(flag="single_system", now=False, seen=True, probes=("roles.two_systems",)),
        Difference(flag="prefill", now="", seen="prefix", probes=("roles.prefill",)),
        Difference(flag="gone_from_the_profile", now=1, seen=2, probes=("a.b",)),
    ]
    fresh = [Difference(flag="files", now=False, seen=True, probes=("input.pdf",))]
    found = merge_differences(Profile(prefill="prefix"), before, fresh, ["roles.two_systems", "input.pdf"])
    assert [(one.flag, one.seen) for one in found] == [("stop_max", 16), ("files", True)]
