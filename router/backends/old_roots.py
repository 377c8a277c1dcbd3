"""URLs that some tools still have and that no longer lead to an API. No I/O."""

import re
from urllib.parse import urlsplit

_AZURE = re.compile(r"[a-z0-9-]{1,64}\.(?:openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)")


_GITHUB = "GitHub Models was retired on 2026-07-30 and has no successor at GitHub"
#: Names of providers that have ended -> what to say of them.
RETIRED = {"github": _GITHUB, "github-models": _GITHUB}


def check_root(url: str) -> None:
    """Raise ValueError, with what to use instead, for a URL that is out of date."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
    except ValueError:
        # It is refused as malformed later.
        return
    if host == "models.github.ai" or host == "models.inference.ai.azure.com":
        raise ValueError(f"it cannot be used: {_GITHUB}")
    if not _AZURE.fullmatch(host):
        return
    resource, _, domain = host.partition(".")
    if domain == "services.ai.azure.com" and parts.path.rstrip("/") == "/models":
        raise ValueError(f"its API was retired on 2026-08-26; use https://{host}/openai/v1")
    old = "/openai/deployments" in parts.path or "api-version=" in parts.query
    if old:
        place = host if domain == "services.ai.azure.com" else f"{resource}.openai.azure.com"
        raise ValueError(
            f"it has the form of the API before v1; use https://{place}/openai/v1, with the name of the deployment as "
            "the model"
        )
