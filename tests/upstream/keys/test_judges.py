"""What is signed here equals, byte for byte, what the vendors' own libraries sign. They are in no extra: AWS's
and Google's are larger than the program. This runs where they are installed."""

import datetime
import random

import pytest

from router.upstream.keys.aws_credentials import AwsCredentials
from router.upstream.keys.bedrock_key import make_key
from router.upstream.keys.google import SCOPE, ServiceAccount, make_assertion
from router.upstream.keys.rs256 import read_private_key

from .service_accounts import make_pem

CASES = 100


def test_bedrock_keys_equal_those_of_botocore(monkeypatch):
    """A hundred random credentials, regions, lives and moments give the key that botocore's SigV4QueryAuth gives, in
    the form of AWS's own generator."""
    auth = pytest.importorskip("botocore.auth")
    generator = pytest.importorskip("aws_bedrock_token_generator.token_generator")
    from botocore.credentials import Credentials

    made = random.Random(23)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/="
    mismatches = 0
    for _ in range(CASES):
        id_ = "A" + "".join(made.choices(letters[26:62], k=19))
        secret = "".join(made.choices(letters, k=40))
        session = "".join(made.choices(letters + "~-_. %&", k=made.randrange(1, 900))) if made.random() < 0.7 else ""
        region = made.choice(["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1"])
        seconds, now = made.randrange(1, 43_201), made.randrange(1_600_000_000, 2_000_000_000)
        frozen = datetime.datetime.fromtimestamp(now, datetime.UTC).replace(tzinfo=None)
        monkeypatch.setattr(auth, "get_current_datetime", lambda *_, frozen=frozen: frozen)
        theirs = generator._generate_token(Credentials(id_, secret, session or None), region, seconds)
        ours = make_key(AwsCredentials(id_, secret, session), region, float(now), seconds)
        mismatches += ours.secret.reveal() != theirs
    assert mismatches == 0


def test_assertions_equal_those_of_google_auth(monkeypatch):
    """The assertion of a service account is the one that google-auth makes at the same moment."""
    service_account = pytest.importorskip("google.oauth2.service_account")
    pem = make_pem()
    info = {
        "type": "service_account",
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key_id": "0123456789abcdef",
        "private_key": pem,
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    now = datetime.datetime(2026, 12, 1, 1, 2, 3)
    monkeypatch.setattr(service_account._helpers, "utcnow", lambda: now)
    theirs = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    account = ServiceAccount(info["client_email"], info["private_key_id"], read_private_key(pem), info["token_uri"])
    seconds = int(now.replace(tzinfo=datetime.UTC).timestamp())
    assert make_assertion(account, SCOPE, seconds) == theirs._make_authorization_grant_assertion()
