"""What a command prints in the place of a key: each known form, and when it ends."""

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.upstream.keys.expiry import find_life, find_token_life, read_moment
from router.upstream.keys.fetched_key import FetchedKey
from router.upstream.keys.printed import read_printed

NOW = 1_796_000_000.0
TOKEN = "token-canary-0123456789"
WHERE = "what the command prog prints"


def jwt(**claims):
    """A token with these claims."""
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


def iso(seconds, form="%Y-%m-%dT%H:%M:%SZ"):
    """A moment in UTC so many seconds from NOW."""
    return time.strftime(form, time.gmtime(NOW + seconds))


@pytest.mark.parametrize(
    ("printed", "life"),
    [
        # az account get-access-token
        ({"accessToken": TOKEN, "expires_on": NOW + 4000, "expiresOn": "1999-01-01 00:00:00.000000"}, 4000),
        ({"accessToken": TOKEN, "expires_on": str(int(NOW + 4000)), "tokenType": "Bearer"}, 4000),
        # gcloud config config-helper --format=json
        ({"credential": {"access_token": TOKEN, "id_token": "other", "token_expiry": iso(3000)}}, 3000),
        # google-auth, without a zone
        ({"token": TOKEN, "expiry": iso(3000, "%Y-%m-%dT%H:%M:%S")}, 3000),
        ({"token": TOKEN, "expiry": iso(3000, "%Y-%m-%d %H:%M:%S.000000")}, 3000),
        # An OAuth token endpoint
        ({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}, 3599),
        ({"access_token": TOKEN, "expires_in": "3599"}, 3599),
        # A Kubernetes ExecCredential
        ({"kind": "ExecCredential", "status": {"token": TOKEN, "expirationTimestamp": iso(900)}}, 900),
        # Others
        ({"key": TOKEN, "Expiration": iso(900, "%Y-%m-%dT%H:%M:%S+00:00")}, 900),
        ({"api_key": TOKEN, "expires_at": int((NOW + 900) * 1000)}, 900),
        ({"token": TOKEN, "expires_in": 3600, "scope": "x"}, 3600),
        # No end, or none that can be read
        ({"token": TOKEN}, None),
        ({"token": TOKEN, "expiry": {"datetime": "x"}, "expires_in": True}, None),
        ({"token": TOKEN, "expiry": "soon", "expires_in": "never"}, None),
        ({"token": TOKEN, "expires_in": -5}, None),
    ],
)
def test_objects_tell_of_a_token_and_its_end(printed, life):
    """In the fields of each program, however it writes a moment."""
    key = read_printed(json.dumps(printed, indent=2) + "\n", WHERE, NOW)
    assert isinstance(key, FetchedKey)
    assert key.secret.reveal() == TOKEN
    assert key.ends_in == (None if life is None else pytest.approx(life))


def test_the_local_time_of_az_is_local():
    """It writes `expiresOn` without a zone, in the time of this machine."""
    local = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(NOW + 4000))
    assert find_life({"expiresOn": local}, NOW) == pytest.approx(4000)


@pytest.mark.parametrize(
    ("token", "life"),
    [
        (jwt(exp=NOW + 600), 600),
        (jwt(exp=NOW - 600), None),
        (jwt(sub="x"), None),
        (jwt(exp="soon"), None),
        ("eyJhbGciOiJub25lIn0.eyJ!!!.x", None),
        ("eyJhbGciOiJub25lIn0.eyJhIjo.x", None),
        (TOKEN, None),
    ],
)
def test_a_signed_token_tells_of_its_own_end(token, life):
    """Printed alone; whether one that has ended by this machine's clock is valid is its issuer's to say."""
    key = read_printed(token, WHERE, NOW)
    assert isinstance(key, FetchedKey)
    assert key.secret.reveal() == token
    assert key.ends_in == (None if life is None else pytest.approx(life))


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ('{"token": ', "begins like JSON, and is none"),
        ("{" * 100_000, "begins like JSON, and is none"),
        ("{}", "without a token"),
        ('{"token": 7, "access_token": ""}', "without a token"),
        ('{"token": "two canary words"}', "the token in what the command prog prints has a space"),
        (f'{{"token": "{TOKEN}", "expires_on": 1}}', "by this machine's clock"),
        (f'{{"token": "{TOKEN}", "expiry": "2020-01-01T00:00:00Z"}}', "set this machine's clock"),
        ("env:SOMETHING", "is a reference"),
        ("aws:bedrock", "is a reference"),
        ('{"token": "google:adc"}', "is a reference"),
    ],
)
def test_what_cannot_be_used_is_told_without_it(printed, said):
    """The field and what is wrong, never a value."""
    with pytest.raises(CommandError) as caught:
        read_printed(printed, WHERE, NOW)
    found = f"{caught.value} {caught.value.hint}"
    assert said in found
    assert "canary" not in found


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)


@given(
    st.dictionaries(st.sampled_from(["token", "expires_on", "expiresOn", "expiry", "expires_in", "Version"]), _SCALARS)
)
def test_any_object_gives_a_key_or_an_error(fields):
    """Whatever stands in the fields: a life that is longer than nothing, or none."""
    try:
        key = read_printed(json.dumps(fields), WHERE, NOW)
    except CommandError:
        return
    assert isinstance(key, FetchedKey)
    assert key.ends_in is None or key.ends_in > 0


@given(_SCALARS | st.lists(_SCALARS))
def test_any_value_is_a_moment_or_none(value):
    """Nothing that a program writes ends in another error."""
    found = read_moment(value)
    assert found is None or isinstance(found, float)


@given(st.text() | st.binary().map(lambda data: "eyJhbGciOiJub25lIn0.eyJ" + base64.urlsafe_b64encode(data).decode()))
def test_any_text_may_be_a_token(text):
    """One that cannot be read tells of no end."""
    found = find_token_life(text, NOW)
    assert found is None or found > 0
