"""Token counts of Gemini, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ir import Extras, Usage
from router.wire.gemini.usage import decode_usage, encode_usage
from router.wire.raw.json.json_values import MOST_TOKENS

COUNTS = st.one_of(st.none(), st.integers(0, 10**6))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        # As recorded: 18 + 80 + 35 = 133.
        (
            {"promptTokenCount": 18, "candidatesTokenCount": 80, "thoughtsTokenCount": 35, "totalTokenCount": 133},
            Usage(18, 115, None, None, 35),
        ),
        # The prompt holds what was cached.
        (
            {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 5},
            Usage(40, 5, 60),
        ),
        # The results of built-in tools are counted beside it.
        ({"promptTokenCount": 10, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 1}, Usage(17, 1)),
        # Only thoughts were written.
        ({"promptTokenCount": 9, "thoughtsTokenCount": 30, "totalTokenCount": 39}, Usage(9, 30, None, None, 30)),
        # Nothing was written: the total says so.
        ({"promptTokenCount": 10, "totalTokenCount": 10}, Usage(10, 0)),
        # Nothing is said of what was written.
        ({"promptTokenCount": 10}, Usage(10)),
        # Vertex before the last chunk.
        ({"trafficType": "ON_DEMAND"}, Usage()),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, Usage(extras=Extras(tier="priority"))),
        ({"serviceTier": "standard"}, Usage()),
        ({"serviceTier": "flex", "promptTokenCount": 3}, Usage(3, extras=Extras(tier="flex"))),
        # More cached than read, as some gateways count.
        ({"promptTokenCount": 5, "cachedContentTokenCount": 9}, Usage(0, None, 9)),
        ({"prompt_token_count": "12", "candidates_token_count": "3"}, Usage(12, 3)),
        ({"promptTokenCount": -1, "candidatesTokenCount": True, "thoughtsTokenCount": 1.5}, Usage()),
        (
            {"promptTokenCount": 8, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}, 7, {}]},
            Usage(8, extras=Extras(input_audio=6)),
        ),
        (
            {"candidatesTokenCount": 8, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 8}]},
            Usage(None, 8, extras=Extras(output_image=8)),
        ),
    ],
)
def test_counts_of_one_object(found, wanted):
    """Cached tokens are part of the prompt, thoughts are no part of the candidates, and what is absent is not 0."""
    assert decode_usage(found, Usage()) == wanted


def test_last_value_of_each_field_counts():
    """Growing counts of a stream are never added up, and a count that is not repeated stays."""
    known = Usage()
    for chunk in (
        {"promptTokenCount": 9, "thoughtsTokenCount": 20, "totalTokenCount": 29},
        {"promptTokenCount": 9, "candidatesTokenCount": 5, "thoughtsTokenCount": 185, "totalTokenCount": 199},
        {"promptTokenCount": 9, "candidatesTokenCount": 23, "thoughtsTokenCount": 185, "totalTokenCount": 217},
        {"trafficType": "ON_DEMAND"},
    ):
        known = decode_usage(chunk, known)
    assert known == Usage(9, 208, None, None, 185)


def test_fields_over_several_objects():
    """Counts that come one by one give what they give together."""
    known = decode_usage({"promptTokenCount": 50}, Usage())
    known = decode_usage({"cachedContentTokenCount": 20}, known)
    known = decode_usage({"candidatesTokenCount": 4}, known)
    assert decode_usage({"thoughtsTokenCount": 6}, known) == Usage(30, 10, 20, None, 6)


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        (Usage(), {}),
        (Usage(10, 4), {"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 14}),
        (
            Usage(10, 9, 20, 5, 6),
            {
                "promptTokenCount": 35,
                "candidatesTokenCount": 3,
                "cachedContentTokenCount": 20,
                "thoughtsTokenCount": 6,
                "totalTokenCount": 44,
            },
        ),
        (Usage(None, 3), {"promptTokenCount": 0, "candidatesTokenCount": 3, "totalTokenCount": 3}),
    ],
)
def test_written_counts(usage, wanted):
    """Unknown counts leave the object out, and a total is the sum of its parts."""
    assert encode_usage(usage) == wanted


@given(input_=COUNTS, output=st.integers(0, 10**6), read=COUNTS, part=st.floats(0, 1))
def test_written_counts_are_read_as_they_were(input_, output, read, part):
    """What is written is read again as the same sums."""
    reasoning = int(output * part)
    found = decode_usage(encode_usage(Usage(input_, output, read, None, reasoning)), Usage())
    assert (found.input, found.cache_read or 0) == (input_ or 0, read or 0)
    assert (found.output, found.reasoning or 0) == (output, reasoning)


@given(
    st.dictionaries(
        st.sampled_from(
            ["promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
             "totalTokenCount", "toolUsePromptTokenCount", "promptTokensDetails", "serviceTier"]
        ),
        st.one_of(st.none(), st.integers(), st.text(max_size=5), st.booleans(), st.floats(), st.lists(st.none())),
    )
)  # fmt: skip
def test_any_object_is_read(found):
    """Counts are whole numbers that can be stored, whatever an upstream sends."""
    usage = decode_usage(found, Usage())
    for count in (usage.input, usage.output, usage.cache_read, usage.reasoning):
        assert count is None or 0 <= count <= MOST_TOKENS
