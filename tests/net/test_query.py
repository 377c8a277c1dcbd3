"""Which parameters of a caller's query go upstream."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.net.query import PARAMETERS, check_query, filter_query

# The secret stands in each; spellings that one server or another reads as a credential's name.
TOLD = [
    *(b"key=S", b"KEY=S", b"Key=S", b"k%65y=S", b"%6b%65%79=S", b"k%2565y=S", b"k%252565y=S", b"k%25252565y=S"),
    *(b"key[]=S", b"key[0]=S", b"key%5B%5D=S", b"a[key]=S", b"a[key][]=S", b"a%5Bkey%5D=S", b"a.key=S", b"a:key=S"),
    *(b"%20key=S", b"+key=S", b"key+=S", b"key%20=S", b"%09key=S", b"%00key=S", b"key%00=S", b"$key=S", b"&key=S"),
    *(
        b"amp;key=S",
        b"a;key=S",
        b"a%3Bkey=S",
        b";key=S",
        b"key;x=S",
        b"?key=S",
        b"%3Fkey=S",
        b"a?key=S",
        b"key",
        b"k%65y",
    ),
    *(b"%EF%BD%8B%EF%BD%85%EF%BD%99=S", b"ke%E2%80%8By=S", b"%E2%84%AAey=S", b"%EF%BB%BFkey=S"),
    *(b"secret=S", b"code=S", b"sig=S", b"api_token=S", b"access_key=S", b"auth=S", b"apikey=S", b"api-key=S"),
    *(b"x-api-key=S", b"x-goog-api-key=S", b"subscription-key=S", b"token=S", b"access_token=S", b"auth_token=S"),
    *(b"id_token=S", b"authorization=S", b"client_secret=S", b"password=S", b"oauth_token=S", b"X-Amz-Signature=S"),
    *(b"X-Amz-Credential=S", b"X-Amz-Security-Token=S", b"AWSAccessKeyId=S", b"pwd=S", b"jwt=S", b"ticket=S", b"sid=S"),
]
METHODS = [
    *(
        b"_method=DELETE",
        b"_METHOD=DELETE",
        b"%5fmethod=DELETE",
        b"x-http-method-override=DELETE",
        b"X_HTTP_METHOD=PUT",
    ),
    *(b"$httpMethod=DELETE", b"%24httpHeaders=Authorization%3Ax", b"$req=%7B%7D", b"x-method-override=DELETE"),
]
PASSING = [
    *(
        b"limit=20",
        b"after=file-1",
        b"before=x",
        b"order=desc",
        b"include[]=a",
        b"include=a",
        b"include%5B%5D=a",
        b"alt=sse",
    ),
    *(
        b"purpose=batch",
        b"beta=true",
        b"stream=true",
        b"starting_after=3",
        b"api-version=2024-10-21",
        b"run_id=r",
        b"x",
    ),
    *(b"page_token=x", b"pageToken=x", b"%24skiptoken=x", b"metadata[name]=b", b"model=a%26b", b"fields=a;b", b"x=a=b"),
    *(b"filter=key%3Dsecret", b"name=key", b"timestamp_granularities[]=word", b"language_code=en", b"user=key", b"=x"),
    *(
        b"monkey=1",
        b"tokenizer=x",
        b"max_tokens=5",
        b"vendor_flag=on",
        b"%ff=1",
        b"%=1",
        b"%zz=1",
        b"q=%%%",
        b"method=fast",
    ),
]


@pytest.mark.parametrize("part", TOLD + METHODS)
def test_a_parameter_that_names_a_secret_or_a_method_is_left_out(part):
    """In every reading of its name, at any place; those beside it stay as they came."""
    assert filter_query(part) in (b"", b"?")
    assert filter_query(b"limit=9&" + part + b"&after=%20x") in (b"?limit=9&after=%20x", b"?limit=9&&after=%20x")


@pytest.mark.parametrize("part", PASSING)
def test_any_other_parameter_goes_on_as_it_came(part):
    """Those of the known APIs, of one vendor only, and what is no valid escape."""
    assert filter_query(part) == b"?" + part
    assert filter_query(b"key=S&" + part + b"&&token=S&b") == b"?" + part + b"&&b"


@given(
    st.sampled_from(["key", "token", "x-api-key", "client_secret", "Sig"]),
    st.data(),
    st.integers(0, 3),
    st.sampled_from(["%s", "a[%s]", "%s[]", " %s ", "a;%s", "amp;%s", "a.%s", "$%s"]),
)
def test_no_encoding_of_a_name_carries_a_secret_past(name, data, depth, shape):
    """Any letters in capitals, any of them escaped, up to four times, in any of the shapes that servers unfold."""
    for _ in range(depth + 1):
        chosen = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
        name = "".join(f"%{ord(char):02x}" if up else char for char, up in zip(name, chosen, strict=True))
    part = quote(shape % name, safe="%[];.$")
    assert filter_query(f"{part}=S".encode()) in (b"", b"?")


@pytest.mark.parametrize("query", ["a=1;b=2", "a=1;key=S", ";key=S", "a;b=", "a=1&b=2;c=3", "a=1&amp;key=S"])
def test_a_second_separator_is_refused(query):
    """Some servers separate parameters at `;` too: a query that two of them read differently is refused."""
    with pytest.raises(BadRequest, match="%3B"):
        check_query(query)


@pytest.mark.parametrize("query", ["fields=a;b", "a=1&fields=x;y;z", "a=x%3Bb=2", ";", "a=1"])
def test_a_semicolon_within_a_value_is_none(query):
    """Where no name follows it, it separates nothing."""
    check_query(query)


def test_the_number_of_parameters_is_bounded():
    """Each name is decoded and judged on the event loop."""
    check_query("&".join(["a=1"] * PARAMETERS))
    with pytest.raises(BadRequest, match="500"):
        check_query("&".join(["a=1"] * (PARAMETERS + 1)))
