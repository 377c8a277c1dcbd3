"""The region of a Bedrock key is that of the backend it is for, and no other provider's URL names one."""

import pytest

from router.backends.known import KNOWN
from router.backends.variables import fill_roots
from router.store.keys.references import parse
from router.store.keys.regions import find_region

REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1", "eusc-de-east-1")


@pytest.mark.parametrize("name", ["bedrock", "bedrock-mantle"])
@pytest.mark.parametrize("region", REGIONS)
def test_the_roots_of_bedrock_name_the_region(name, region):
    """Each of its roots, in each partition."""
    roots = fill_roots(KNOWN[name], {"region": region})
    assert {find_region(root) for root in (roots.root, *roots.by_protocol.values())} == {region}


def test_no_other_provider_is_bedrock():
    """Also not the service on AWS that Anthropic runs, whose keys are others."""
    for entry in KNOWN.values():
        if entry.key_cloud != "aws:bedrock":
            values = dict.fromkeys(entry.variables, "us-east-1")
            roots = fill_roots(entry, values)
            assert {find_region(root) for root in (roots.root, *roots.by_protocol.values())} == {""}


def test_the_sources_that_providers_name_are_known():
    """What `backend add` advises is taken."""
    named = {entry.key_cloud for entry in KNOWN.values()} - {""}
    assert named == {"aws:bedrock", "google:adc", "azure:metadata"}
    for source in named:
        found = parse(source)
        assert found is not None
        assert found.kind == source.partition(":")[0]
