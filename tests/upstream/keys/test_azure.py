"""Tokens of a managed identity of Azure: of a machine, and of App Service."""

import pytest

from .cloud import TOKEN

pytestmark = pytest.mark.usefixtures("user")


def test_a_machine_gives_a_token(cloud, fetch):
    """It is asked with the header that Azure prescribes, for Foundry's resource; the end comes as a moment in text."""
    key = fetch("azure:metadata", AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.url)
    assert key.secret.reveal() == f"{TOKEN}-1"
    assert key.ends_in == pytest.approx(3599, abs=5)
    ((method, path, headers, _),) = cloud.seen
    assert method == "GET"
    assert "api-version=2018-02-01" in path
    assert "client_id" not in path
    assert headers["metadata"] == "true"


def test_one_of_several_identities_is_named(cloud, fetch):
    """By its client id."""
    fetch("azure:metadata/0f1e2d3c-0000-4000-8000-abcdefabcdef", AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.url)
    assert "client_id=0f1e2d3c-0000-4000-8000-abcdefabcdef" in cloud.seen[0][1]


def test_app_service_has_its_own_endpoint(cloud, fetch):
    """With the secret of its environment."""
    fetch("azure:metadata", IDENTITY_ENDPOINT=f"{cloud.url}/msi/token", IDENTITY_HEADER="app-secret-canary")
    ((_, path, headers, _),) = cloud.seen
    assert "api-version=2019-08-01" in path
    assert headers["x-identity-header"] == "app-secret-canary"


def test_its_secret_goes_to_no_other_scheme(fails):
    """An endpoint that is none of App Service's is refused."""
    said = fails("azure:metadata", IDENTITY_ENDPOINT="ftp://elsewhere/msi", IDENTITY_HEADER="app-secret-canary")
    assert "IDENTITY_ENDPOINT" in said
    assert "canary" not in said


def test_a_machine_without_identity_is_told(cloud, fails):
    """The error's code is named, and what to do."""
    cloud.answer = (400, {}, {"error": "invalid_request", "error_description": "Identity not found"})
    said = fails("azure:metadata", AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.url)
    assert "answered 400 (invalid_request)" in said
    assert "azure:metadata/CLIENT_ID" in said


def test_no_server_is_told(fails):
    """Outside of Azure nothing answers."""
    said = fails("azure:metadata", AZURE_POD_IDENTITY_AUTHORITY_HOST="http://127.0.0.1:1")
    assert "only on machines of that cloud" in said


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"access_token": 7}', b'{"access_token": "two words"}'])
def test_an_answer_without_a_token_is_refused(cloud, fails, body):
    """No part of it is used."""
    cloud.answer = (200, {}, body)
    assert "the access token of the metadata server of Azure" in fails(
        "azure:metadata", AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.url
    )
