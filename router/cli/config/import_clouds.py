"""The clouds of LiteLLM's config.yaml: `vertex_ai/`, `bedrock/`, `azure/` and their like, as backends.

LiteLLM signs in to clouds in many ways of their own. Only keys are taken over: a file from elsewhere must not make
fairlead run a command, or use credentials that it does not name.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from router.backends import Backend, Known, changes
from router.backends.changes import Wish
from router.backends.known import KNOWN, clean_url
from router.backends.variables import WrongVariable, match_root, read_variables
from router.errors import CommandError

_PROVIDERS = {
    "vertex_ai": "vertex",
    "vertex_ai_beta": "vertex",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "bedrock_mantle": "bedrock-mantle",
    "azure": "azure",
    "azure_text": "azure",
    "azure_ai": "foundry",
    "databricks": "databricks",
    "cloudflare": "cloudflare",
}
# LiteLLM's parameter -> the variable that it gives.
_VARIABLES = {
    "vertex_project": "project",
    "vertex_ai_project": "project",
    "vertex_location": "location",
    "vertex_ai_location": "location",
    "aws_region_name": "region",
}
#: Parameters that are used for a cloud, or are of no use at its v1 URL.
USED = {*_VARIABLES, "api_version", "base_model"}
#: Parameters that are left out -> why.
LEFT = {
    **dict.fromkeys(
        (
            *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_profile_name", "aws_role_name"),
            *("aws_session_name", "aws_web_identity_token", "aws_bedrock_runtime_endpoint"),
        ),
        "credentials of AWS are not taken over; give a Bedrock key:   fairlead backend set NAME --key-stdin",
    ),
    **dict.fromkeys(
        ("vertex_credentials", "vertex_ai_credentials"),
        "logins of Google are not taken over; give a key:   fairlead backend set NAME --key-cmd 'gcloud auth "
        "print-access-token'",
    ),
    **dict.fromkeys(
        ("tenant_id", "client_id", "client_secret", "azure_ad_token", "azure_username", "azure_password"),
        "logins of Entra ID are not taken over; give a key:   fairlead backend set NAME --key-stdin",
    ),
}
# The ways in which LiteLLM asks Bedrock, in front of the model's name.
_BEDROCK_WAYS = ("converse", "converse_like", "invoke", "mantle")
_INVOKE = "invoke"


class CloudDeployment(NamedTuple):
    """A deployment of a cloud."""

    #: Without its final name.
    backend: Backend
    #: The name of the model there.
    model: str


def find_cloud(provider: str) -> Known | None:
    """The cloud of LiteLLM's provider; None for others."""
    return KNOWN.get(_PROVIDERS.get(provider, ""))


def read_cloud(
    entry: Known, model: str, params: Mapping[str, Any], key: str, variable: re.Pattern[str]
) -> CloudDeployment:
    """The backend and the model of a deployment. model: behind the provider's name. key: as a backend stores it, '' for
    none. variable: matches a value that stands for one of the environment. Raises CommandError."""
    # A variable that the file names could be any: those that the cloud's own tools read are taken instead.
    told = {name: str(params[one]).strip() for one, name in _VARIABLES.items() if params.get(one)}
    given = {name: text for name, text in told.items() if not variable.fullmatch(text)}
    *ways, served = model.split("/") if entry.name.startswith("bedrock") else [model]
    if _INVOKE in ways and "claude" in served:
        entry = KNOWN["bedrock-invoke"]
    for way in ways:
        if way not in _BEDROCK_WAYS:
            given.setdefault("region", way)
    url = params.get("api_base") or params.get("base_url")
    if isinstance(url, str) and url.strip():
        given |= _read_url(entry, url)
    try:
        values = read_variables(entry, {one: text for one, text in given.items() if one in entry.variables}, os.environ)
    except WrongVariable as wrong:
        command = f"fairlead backend add {entry.name} --{wrong.name} {wrong.name.upper()}"
        raise CommandError(f"{wrong}; add the backend with it:   {command}") from None
    wish = Wish(variables=values, key=key or None, auth=None if key else "none")
    root = changes.root_for(entry.name, wish, None)
    return CloudDeployment(changes.add_backend(entry.name, wish, root or "", None, now=0.0).backend, served)


def _read_url(entry: Known, url: str) -> dict[str, str]:
    """The variables in a URL of the cloud, of any path: LiteLLM has URLs of former APIs. Raises CommandError."""
    try:
        parts = urlsplit(clean_url(url.partition("?")[0]))
    except ValueError as problem:
        # The URL is not shown: it may hold a key.
        raise CommandError(f"its URL cannot be used: {problem}") from None
    host = parts.hostname or ""
    for template in (entry.root, *(one.root for one in entry.endpoints.values() if one.root)):
        place = f"https://{host}{urlsplit(template).path}"
        found = match_root(entry, place)
        if found is not None:
            return found
    # The other hosts of a resource, for the same keys.
    if entry.name == "azure" and host.endswith((".cognitiveservices.azure.com", ".services.ai.azure.com")):
        return {"resource": host.partition(".")[0]}
    raise CommandError(f"its URL is not one of {entry.title}; add it:   fairlead backend add NAME --base-url URL")
