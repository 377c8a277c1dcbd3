"""Bedrock keys from the user's AWS credentials: where these are found, what is never mixed, and what is left to aws."""

import base64
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from router.store.keys.regions import find_region
from router.upstream.keys.aws_credentials import AwsCredentials, Process

ID, SECRET, SESSION = "AKIAENVIRONMENT00001", "env-secret-canary/0123456789+abcdefghijkl", "env-session-canary=="
FILE_ID, FILE_SECRET = "AKIAFILE000000000001", "file-secret-canary/0123456789+abcdefghij"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SESSION}
REFERENCE = "aws:bedrock@eu-west-1"


def read(key):
    """The fields of the presigned URL in a key, which is whole and in the form that AWS documents."""
    text = key.secret.reveal()
    assert text.startswith("bedrock-api-key-")
    url = urlsplit("https://" + base64.b64decode(text.removeprefix("bedrock-api-key-"), validate=True).decode())
    assert (url.netloc, url.path) == ("bedrock.amazonaws.com", "/")
    fields = {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()}
    assert fields["Action"] == "CallWithBearerToken"
    assert fields["Version"] == "1"
    return fields


@pytest.fixture
def aws(user):
    """Writes the files of the user's folder for AWS."""

    def write(credentials=None, config=None):
        folder = user / ".aws"
        folder.mkdir(exist_ok=True)
        for name, text in (("credentials", credentials), ("config", config)):
            if text is not None:
                (folder / name).write_text(text)
                (folder / name).chmod(0o600)
        return folder

    return write


KEYS = f"aws_access_key_id = {FILE_ID}\naws_secret_access_key = {FILE_SECRET}\n"


def test_the_environment_comes_first(aws, fetch):
    """Its keys and its session make the key, for the region of the backend and for an hour."""
    aws(f"[default]\n{KEYS}")
    key = fetch(REFERENCE, **ENVIRONMENT)
    fields = read(key)
    day = time.strftime("%Y%m%d", time.gmtime())
    assert fields["X-Amz-Credential"] == f"{ID}/{day}/eu-west-1/bedrock/aws4_request"
    assert fields["X-Amz-Security-Token"] == SESSION
    assert fields["X-Amz-Expires"] == "3600"
    assert key.ends_in == 3600


@pytest.mark.parametrize(
    ("reference", "environ"),
    [
        ("aws:bedrock/work@eu-west-1", {}),
        ("aws:bedrock/work@eu-west-1", ENVIRONMENT),
        (REFERENCE, {"AWS_PROFILE": "work"}),
        (REFERENCE, {"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": SESSION}),
    ],
)
@pytest.mark.parametrize("where", ["credentials", "config"])
def test_the_session_of_the_environment_is_not_mixed_with_a_profile(aws, fetch, reference, environ, where):
    """The keys of a profile are used with the session of the profile, which has none here."""
    section = "work" if where == "credentials" else "profile work"
    aws(**{where: f"[default]\naws_access_key_id = AKIAOTHER\n[{section}]\n{KEYS}"})
    fields = read(fetch(reference, **environ))
    assert fields["X-Amz-Credential"].startswith(f"{FILE_ID}/")
    assert "X-Amz-Security-Token" not in fields


def test_a_profile_has_a_session_of_its_own(aws, fetch):
    """As temporary credentials do."""
    aws(f"[default]\n{KEYS}aws_session_token = own-session\n")
    assert read(fetch(REFERENCE, AWS_SESSION_TOKEN=SESSION))["X-Amz-Security-Token"] == "own-session"


def test_files_elsewhere_are_named_by_variables(tmp_path, user, fetch):
    """By those that AWS has for it, and through links."""
    real = tmp_path / "elsewhere"
    real.write_text(f"\ufeff# mine\n[default]\nregion = us-west-2\n{KEYS}")
    real.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(real)
    assert read(fetch(REFERENCE, AWS_SHARED_CREDENTIALS_FILE=str(link)))["X-Amz-Credential"].startswith(FILE_ID)


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_of_the_variables_is_refused(aws, fails, missing):
    """Rather than that the profile is taken in silence."""
    aws(f"[default]\n{KEYS}")
    environ = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    assert f"${missing} is not set" in fails(REFERENCE, **environ)


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        ("role_arn = arn:aws:iam::1:role/x\nsource_profile = default\n", "role_arn"),
        ("sso_session = corp\n", "sso_session"),
        ("sso_start_url = https://x.example\n", "sso_start_url"),
        ("web_identity_token_file = /x\n", "web_identity_token_file"),
        ("login_session = arn:aws:sts::1:x\n", "login_session"),
    ],
)
def test_roles_and_sign_ons_are_left_to_aws(aws, fails, config, setting):
    """The error names the setting, and the command that prints such credentials."""
    aws(f"[me too]\n{KEYS}", f"[profile me too]\n{config}")
    said = fails("aws:bedrock/me too@eu-west-1")
    assert f"by {setting}" in said
    assert """--key-cmd 'aws configure export-credentials --format process --profile '"'"'me too'"'"''""" in said


def test_nothing_found_is_told(user, fails):
    """With the places that were looked at, and the commands that repair it."""
    said = fails(REFERENCE)
    assert "there is no profile default in ~/.aws/credentials and ~/.aws/config" in said
    assert "aws configure" in said
    assert "--key-cmd 'aws configure export-credentials --format process'" in said


def test_a_profile_without_credentials_is_told(aws, fails):
    """That it is there, and names none."""
    aws(config="[profile empty]\nregion = eu-west-1\n")
    assert "names no credentials" in fails("aws:bedrock/empty@eu-west-1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{KEYS}", "line 1 cannot be read"),
        (f"[default]\n{FILE_SECRET}\n", "cannot be read"),
        ("[default]\naws_access_key_id = A\n", "has no aws_secret_access_key"),
        (f"[default]\naws_access_key_id = A B\naws_secret_access_key = {FILE_SECRET}\n", "have a space"),
        (f"[default]\naws_access_key_id = a/b\naws_secret_access_key = {FILE_SECRET}\n", "that cannot be one"),
    ],
)
def test_a_broken_file_is_told_without_its_lines(aws, fails, text, said):
    """Which may hold a secret."""
    aws(text)
    found = fails(REFERENCE)
    assert said in found
    assert "canary" not in found


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_files_that_others_reach_are_refused(aws, fails):
    """Secrets that others can read, and programs that others can name; the command that closes it is named."""
    folder = aws(f"[default]\n{KEYS}", "[default]\nregion = x\n")
    (folder / "config").chmod(0o644)
    (folder / "credentials").chmod(0o644)
    assert "chmod 600" in fails(REFERENCE)
    (folder / "credentials").unlink()
    (folder / "config").write_text(f"[default]\n{KEYS}")
    assert "chmod 600" in fails(REFERENCE)
    (folder / "config").chmod(0o666)
    assert "chmod go-w" in fails(REFERENCE)


@pytest.fixture
def prints(tmp_path):
    """Writes a program that prints this; gives its path."""

    def write(output, name="prints"):
        path, file = tmp_path / name, tmp_path / f"{name}.out"
        file.write_text(output if isinstance(output, str) else json.dumps(output))
        path.write_text(f'#!/bin/sh\nexec cat "{file}"\n')
        path.chmod(0o700)
        return str(path)

    return write


def exported(**changes):
    """What `aws configure export-credentials --format process` prints."""
    fields = {
        "Version": 1,
        "AccessKeyId": FILE_ID,
        "SecretAccessKey": FILE_SECRET,
        "SessionToken": "process-session",
        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600)),
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")


@posix
@pytest.mark.parametrize("way", ["key-cmd", "profile"])
def test_a_program_gives_credentials(aws, fetch, prints, way):
    """Printed by the account's command, or by the credential_process of a profile; the key ends with them."""
    program = prints(exported())
    aws(config=f"[default]\ncredential_process = {program} --some 'one arg'\n")
    key = fetch(REFERENCE if way == "profile" else f'cmd:["{program}"]@eu-west-1', AWS_SESSION_TOKEN=SESSION)
    fields = read(key)
    assert fields["X-Amz-Security-Token"] == "process-session"
    assert "/eu-west-1/" in fields["X-Amz-Credential"]
    assert key.ends_in == pytest.approx(600, abs=5)


@posix
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Version": 2}, "another Version"),
        ({"AccessKeyId": None}, "has no AccessKeyId"),
        ({"SecretAccessKey": ""}, "has no SecretAccessKey"),
        ({"SecretAccessKey": 7}, "has no SecretAccessKey"),
        ({"Expiration": "2020-01-01T00:00:00Z"}, "by this machine's clock"),
    ],
)
def test_credentials_that_cannot_be_used_are_told(fails, prints, changes, said):
    """What is wrong with them, without them."""
    found = fails(f'cmd:["{prints(exported(**changes))}"]@eu-west-1')
    assert said in found
    assert "canary" not in found


@posix
def test_credentials_go_to_bedrock_alone(fails, prints):
    """For a backend that is not Bedrock, no key is made of them."""
    assert "for Bedrock alone" in fails(f'cmd:["{prints(exported())}"]')


@posix
def test_a_program_of_a_profile_that_prints_a_key_is_refused(aws, fails, prints):
    """It has to print credentials."""
    aws(config=f"[default]\ncredential_process = {prints('some-key')}\n")
    assert "prints no credentials" in fails(REFERENCE)


@posix
def test_a_program_that_cannot_be_split_is_told(aws, fails):
    """And its words are not shown."""
    aws(config="[default]\ncredential_process = prog 'canary\n")
    found = fails(REFERENCE)
    assert "cannot be split" in found
    assert "canary" not in found


def test_a_region_is_needed(fails):
    """The error names the form of the reference."""
    assert "aws:bedrock/me@REGION" in fails("aws:bedrock/me", **ENVIRONMENT)


@pytest.mark.parametrize(
    ("root", "region"),
    [
        ("https://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1", "us-east-1"),
        ("https://bedrock-mantle.eu-central-1.api.aws/v1", "eu-central-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/openai/v1", "us-gov-west-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn/v1", "cn-north-1"),
        ("https://bedrock-runtime.eusc-de-east-1.amazonaws.eu/v1", "eusc-de-east-1"),
        ("https://vpce-0a1-b2.bedrock-runtime.us-west-2.vpce.amazonaws.com/v1", "us-west-2"),
        ("https://BEDROCK-runtime.US-east-1.amazonaws.com/v1", "us-east-1"),
        ("http://bedrock-runtime.us-east-1.amazonaws.com/v1", ""),
        ("https://bedrock-runtime.us-east-1.s3.amazonaws.com/v1", ""),
        ("https://bedrock-runtime.us-east-1.evil.example/v1", ""),
        ("https://evil.example/bedrock-runtime.us-east-1.amazonaws.com", ""),
        ("https://bedrock-runtime.us-east-1.amazonaws.com.evil.example/v1", ""),
        ("https://evil-bedrock-runtime.us-east-1.amazonaws.com/v1", ""),
        ("https://aws-external-anthropic.us-east-1.api.aws/v1", ""),
        ("https://api.openai.com/v1", ""),
        ("https://[::1/v1", ""),
        ("", ""),
    ],
)
def test_the_region_is_that_of_a_bedrock_host(root, region):
    """Of no other host: a key for Bedrock is made for Bedrock alone."""
    assert find_region(root) == region


def test_nothing_secret_is_shown_by_accident():
    """Neither credentials nor the words of a program stand in their repr."""
    assert "canary" not in repr((AwsCredentials(ID, SECRET, SESSION), Process(("prog", "canary"), "x")))


def test_what_a_key_was_made_of_is_known_as_secret(fetch):
    """So that it is removed from what an upstream repeats: secret key, session, presigned URL and signature."""
    key = fetch(REFERENCE, **ENVIRONMENT)
    parts = {part.reveal() for part in key.parts}
    fields = read(key)
    assert {SECRET, SESSION, fields["X-Amz-Signature"]} <= parts
    assert any(part.startswith("bedrock.amazonaws.com/?Action=") for part in parts)


def test_a_key_costs_little(fetch):
    """Less than the 0.3 ms that a request may pay for its signature, though it is made once an hour."""
    from router.upstream.keys.bedrock_key import make_key

    credentials = AwsCredentials(ID, SECRET, "t" * 1000)
    began = time.process_time()
    for number in range(200):
        make_key(credentials, "us-east-1", 1.7e9 + number)
    assert (time.process_time() - began) / 200 < 0.0003
