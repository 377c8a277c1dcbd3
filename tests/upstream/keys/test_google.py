"""Tokens of Google Cloud: what a service account's file gives, the metadata server, and what is left to gcloud."""

import json
import sys

import pytest

from router.store.keys.references import add_region
from router.upstream.keys.google import find_default_file

from .cloud import TOKEN
from .service_accounts import make_pem, serialization, write_account

GCLOUD = "--key-cmd 'gcloud auth application-default print-access-token'"


@pytest.fixture
def account(cloud, tmp_path):
    """The file of a service account whose token endpoint is on loopback."""
    return write_account(tmp_path / "account.json", f"{cloud.url}/token")


def test_a_service_account_gets_a_token(cloud, account, fetch):
    """One signed assertion is sent to the token endpoint of the file, and its token lives as long as that says."""
    key = fetch(f"google:{account}")
    assert key.secret.reveal() == f"{TOKEN}-1"
    assert key.ends_in == 3599
    ((method, path, headers, form),) = cloud.seen
    assert (method, path) == ("POST", "/token")
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert "Authorization" not in headers


def test_a_key_in_the_older_form_is_read(cloud, account, fetch):
    """PKCS#1, to which openssl converts keys, gives the same."""
    write_account(
        account, f"{cloud.url}/token", private_key=make_pem(2048, serialization.PrivateFormat.TraditionalOpenSSL)
    )
    assert fetch(f"google:{account}").ends_in == 3599


def test_the_default_file_is_that_of_the_variable(cloud, account, fetch):
    """`adc` reads the file that GOOGLE_APPLICATION_CREDENTIALS names."""
    assert fetch("google:adc", GOOGLE_APPLICATION_CREDENTIALS=str(account)).ends_in == 3599


@pytest.mark.skipif(sys.platform == "win32", reason="another folder there")
def test_the_default_file_is_else_that_of_gcloud(user):
    """In the folder of gcloud, or the one that CLOUDSDK_CONFIG names."""
    assert find_default_file({}) == user / ".config/gcloud/application_default_credentials.json"
    assert str(find_default_file({"CLOUDSDK_CONFIG": "/elsewhere"})).startswith("/elsewhere/")


def test_a_login_of_gcloud_is_left_to_gcloud(cloud, account, fails):
    """It is the login of another client: nothing is sent, and the command that gives its token is named."""
    account.write_text(
        json.dumps({"type": "authorized_user", "client_id": "x", "client_secret": "s", "refresh_token": "rt-canary"})
    )
    said = fails(f"google:{account}")
    assert "login of gcloud" in said
    assert GCLOUD in said
    assert "gcloud auth application-default login" in said
    assert cloud.seen == []


@pytest.mark.parametrize(
    "kind",
    [
        "external_account",
        "external_account_authorized_user",
        "impersonated_service_account",
        "gdch_service_account",
        "nonsense",
        None,
    ],
)
def test_other_kinds_are_left_to_gcloud(cloud, account, fails, kind):
    """Files that name other places, or programs to run, are not followed."""
    write_account(account, f"{cloud.url}/token", type=kind, credential_source={"executable": {"command": "/bin/false"}})
    said = fails(f"google:{account}")
    assert kind is None or kind in said
    assert GCLOUD in said
    assert cloud.seen == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_email": None}, "has no client_email"),
        ({"private_key": None}, "has no private_key"),
        ({"private_key_id": 7}, "has no private_key_id"),
        ({"token_uri": "http://token.example/"}, "the token_uri in"),
        ({"token_uri": "ftp://x"}, "the token_uri in"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----"}, "cannot be read"),
        ({"private_key": "-----BEGIN ENCRYPTED PRIVATE KEY-----"}, "protected by a password"),
        ({"private_key": "canary"}, "not in PEM"),
        ({"universe_domain": "other.example"}, "another universe"),
    ],
)
def test_a_file_that_lacks_something_is_refused(cloud, account, fails, changes, said):
    """Its path and what is wrong are named, nothing of it is shown, and nothing is sent."""
    write_account(account, f"{cloud.url}/token", **changes)
    text = fails(f"google:{account}")
    assert said in text
    assert "account.json" in text
    assert cloud.seen == []
    assert "QUJD" not in text


@pytest.mark.parametrize("line", [3, 15, 19, 22, 24])
def test_a_damaged_key_gives_no_signature(cloud, account, fails, line):
    """A key whose parts do not belong together is found out before anything signed leaves."""
    pem = make_pem().splitlines()
    pem[line] = pem[line][::-1]
    write_account(account, f"{cloud.url}/token", private_key="\n".join(pem))
    text = fails(f"google:{account}")
    assert "damaged" in text
    assert cloud.seen == []


@pytest.mark.parametrize("body", ["", "[]", "{", "null", '"text"'])
def test_a_file_of_something_else_is_refused(account, fails, body):
    """What is no JSON object is said to be none."""
    account.write_text(body)
    assert "no file of Google credentials" in fails(f"google:{account}")


def test_a_missing_file_is_named(user, fails):
    """With the commands that make it, or give the token without it."""
    said = fails("google:adc")
    assert "application_default_credentials.json" in said
    assert "does not exist" in said
    assert GCLOUD in said


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_file_that_others_can_read_is_refused(account, fails):
    """It holds a private key; the command that closes it is named."""
    account.chmod(0o644)
    assert "chmod 600" in fails(f"google:{account}")


@pytest.mark.parametrize(("off", "word"), [(600, "10 min ahead"), (-600, "10 min behind")])
def test_a_clock_that_is_off_is_named(account, fails, off, word):
    """Google refuses an assertion of another time; the error says that the clock is wrong, and how far."""
    said = fails(f"google:{account}", off=off)
    assert f"clock is {word}" in said
    assert "Set the clock." in said


def test_a_deleted_key_is_told(cloud, account, fails):
    """An assertion that is refused otherwise: a new key is needed."""
    cloud.answer = (400, {}, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    said = fails(f"google:{account}")
    assert "Invalid JWT Signature." in said
    assert "make a new one" in said


def test_an_answer_that_repeats_the_assertion_shows_none(cloud, account, fails):
    """What was sent is taken out of what is shown."""

    fails(f"google:{account}", off=600)
    assertion = cloud.seen[-1][3]["assertion"]
    cloud.skew = 0.0
    cloud.answer = (400, {}, {"error": "invalid_grant", "error_description": f"bad {assertion}"})
    said = fails(f"google:{account}")
    assert cloud.seen[-1][3]["assertion"].rpartition(".")[2] not in said


def test_redirects_are_not_followed(cloud, account, fails):
    """An assertion goes to its token endpoint alone."""
    cloud.answer = (302, {"location": f"{cloud.url}/elsewhere"}, b"")
    assert "redirects" in fails(f"google:{account}")
    assert len(cloud.seen) == 1


def test_the_metadata_server_gives_a_token(cloud, fetch):
    """It is asked as Google prescribes, and for nothing but a token."""
    key = fetch("google:metadata", GCE_METADATA_HOST=cloud.host)
    assert (key.secret.reveal(), key.ends_in) == (f"{TOKEN}-1", 3599)
    ((method, path, headers, _),) = cloud.seen
    assert method == "GET"
    assert path.startswith("/computeMetadata/v1/instance/service-accounts/default/token?scopes=")
    assert headers["metadata-flavor"] == "Google"


def test_what_does_not_say_that_it_is_google_is_not_believed(cloud, fails):
    """Another server at that address gives no token."""
    cloud.says_google = False
    assert "is not the metadata server of Google Cloud" in fails("google:metadata", GCE_METADATA_HOST=cloud.host)


@pytest.mark.parametrize("status", [404, 500])
def test_a_metadata_server_without_identity_is_told(cloud, fails, status):
    """Its status is named."""
    cloud.answer = (status, {"Metadata-Flavor": "Google"}, b"no")
    assert f"answered {status}" in fails("google:metadata", GCE_METADATA_HOST=cloud.host)


@pytest.mark.parametrize("host", ["evil/path", "a b", "user@host", "h?x", "[::1"])
def test_a_metadata_host_that_is_none_is_refused(fails, host):
    """What stands in the variable can lead to no other path."""
    assert "is no host" in fails("google:metadata", GCE_METADATA_HOST=host)


def test_other_files_ask_no_metadata_server(cloud, account, fetch, fails):
    """Only the reference that names it asks it: neither a file nor the default credentials do."""
    fetch(f"google:{account}", GCE_METADATA_HOST=cloud.host)
    fails("google:adc", GCE_METADATA_HOST=cloud.host)
    assert [method for method, *_ in cloud.seen] == ["POST"]


def test_a_region_is_nothing_to_google():
    """The reference stays as it is."""
    assert add_region("google:adc", "us-east-1") == "google:adc"
