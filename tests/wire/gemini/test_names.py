"""JSON of Google's API is read in each of the forms that proto3 JSON has."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire.gemini import names


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("systemInstruction", "system_instruction"),
        ("topP", "top_p"),
        ("parametersJsonSchema", "parameters_json_schema"),
        ("text", "text"),
    ],
)
def test_names_have_a_snake_case_spelling(name, snake):
    """A field is found under either spelling, and told under the one that the caller used."""
    assert names.to_snake(name) == snake
    assert names.both(name) == {name, snake}
    assert names.get({snake: 1}, name) == names.get({name: 1}, name) == 1
    assert names.spell({snake: 1}, name) == snake
    assert names.spell({}, name) == name


def test_camel_case_comes_first():
    """Of two spellings in one object the camelCase one counts, unless it is null."""
    assert names.get({"topP": 1, "top_p": 2}, "topP") == 1
    assert names.get({"topP": None, "top_p": 2}, "topP") == 2
    assert names.spell({"topP": None, "top_p": 2}, "topP") == "top_p"
    assert names.get({}, "topP") is None


@pytest.mark.parametrize(
    ("value", "number"),
    [("12", 12), (12, 12), ("-1", -1), ("007", 7), (1.0, 1.0), ("1.5", "1.5"), ("", ""), ("--1", "--1"), ("٣", "٣")],
)
def test_whole_numbers_may_be_texts(value, number):
    """A number of 64 bits may stand as a text; other texts stay what they are."""
    assert names.as_number(value) == number


def test_counts_are_found_in_either_form():
    """A count of tokens is a number or a text; what is neither is no count."""
    assert [names.as_count(one) for one in (3, "3", "-3", None, "x", True)] == [3, 3, None, None, None, None]


def test_numbers_are_refused_by_the_callers_spelling():
    """The error for a number that is none names the field as the caller wrote it."""
    assert names.read_integer({"top_k": "40"}, "topK", "generationConfig.") == 40
    with pytest.raises(BadRequest, match=r"^generation_config\.top_k: "):
        names.read_integer({"top_k": "many"}, "topK", "generation_config.")


def test_enums_have_letters_of_any_case():
    """Enum values are told in capitals, and one that is no text is refused or taken for none."""
    assert names.read_enum({"mode": "any"}, "mode", "x.") == "ANY"
    assert names.read_enum({}, "mode", "x.") == ""
    assert names.as_enum("Stop") == "STOP"
    assert names.as_enum(1) == ""
    with pytest.raises(BadRequest, match=r"^x\.mode: "):
        names.read_enum({"mode": 1}, "mode", "x.")


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_base64_of_any_form_becomes_standard(data, urlsafe, padded):
    """Either alphabet, padded or not, becomes padded base64 in the standard alphabet."""
    text = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(data).decode()
    assert names.normalize_base64(text if padded else text.rstrip("="), "x") == base64.b64encode(data).decode()


@pytest.mark.parametrize("text", ["a", "????", "QUJD=QUJD", "QQ==QUJD", "é==="])
def test_broken_base64_is_refused(text):
    """What is no base64 is refused with the path of the field."""
    with pytest.raises(BadRequest, match=r"^inlineData\.data: its base64 is broken"):
        names.normalize_base64(text, "inlineData.data")


def test_padding_between_steps_is_refused():
    """Padding in the middle of a long text is refused too, also where the text is checked in steps."""
    long = "A" * ((256 << 10) - 4) + "QQ=="
    assert names.normalize_base64(long, "x") == long
    with pytest.raises(BadRequest, match="padding stands within it"):
        names.normalize_base64(long + "QUJD", "x")
