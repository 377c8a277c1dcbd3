"""Access tokens of the managed identity of a machine or app in Azure, asked for only where the user named that.

Source: Microsoft's `How to use managed identities with Azure VMs to acquire an access token` and `Connect to Azure
services in app code` (App Service's own endpoint).
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from router.errors import CommandError
from router.login.calls import read_object
from router.net.control.request import Answer, clean
from router.settings import Secret
from router.store.keys.secrets import check_key
from router.upstream.keys.expiry import find_life
from router.upstream.keys.fetched_key import FetchedKey
from router.upstream.keys.metadata import ask_metadata

#: What the token is for: Azure OpenAI and Foundry.
RESOURCE = "https://ai.azure.com"
_HOST, _PATH = "169.254.169.254", "/metadata/identity/oauth2/token"
_WHAT = "the metadata server of Azure"


async def fetch_token(client: str, environ: Mapping[str, str], now: float) -> FetchedKey:
    """A token. client: the client id of one of several identities, '' for the only one. now: seconds since 1970.
    Raises CommandError."""
    identity = {"client_id": client} if client else {}
    endpoint, secret = environ.get("IDENTITY_ENDPOINT", ""), environ.get("IDENTITY_HEADER", "")
    if endpoint and secret:
        url = urlsplit(endpoint)
        if url.scheme != "http":
            raise CommandError("$IDENTITY_ENDPOINT is not a URL with http://, as App Service sets it.")
        query = {**dict(parse_qsl(url.query)), "api-version": "2019-08-01", "resource": RESOURCE, **identity}
        answer = await ask_metadata(url.netloc, url.path, query, {"x-identity-header": secret}, _WHAT)
    else:
        host = urlsplit(environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "")).netloc or _HOST
        query = {"api-version": "2018-02-01", "resource": RESOURCE, **identity}
        answer = await ask_metadata(host, _PATH, query, {"metadata": "true"}, _WHAT)
    return _read_token(answer, now)


def _read_token(answer: Answer, now: float) -> FetchedKey:
    fields = read_object(answer) or {}
    if answer.status != 200:
        code = fields.get("error")
        named = f" ({clean(code, 60)})" if isinstance(code, str) else ""
        raise CommandError(
            f"{_WHAT} answered {answer.status}{named}.",
            "Assign an identity to this machine; of several, name one:   --key-cloud azure:metadata/CLIENT_ID",
        )
    token = fields.get("access_token")
    key = check_key(token if isinstance(token, str) else "", f"the access token of {_WHAT}")
    return FetchedKey(Secret(key), find_life(fields, now))
