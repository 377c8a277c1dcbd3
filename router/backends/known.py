"""Looks up known providers by name, and parses base URLs."""

import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from router.backends import COMMON, PROTOCOLS, Api, Backend, Known
from router.backends.hosts import clean_host, find_nearness
from router.backends.old_roots import check_root
from router.backends.providers import PROVIDERS
from router.backends.variables import complete_root, match_root

KNOWN: dict[str, Known] = {entry.name: entry for entry in PROVIDERS}
# Other names that users type: vendor, product or model instead of the API's name.
OTHER_NAMES = {
    "aws": "bedrock",
    "azure-openai": "azure",
    "chatgpt": "openai",
    "claude": "anthropic",
    "dashscope": "alibaba",
    "glm": "zai",
    "google": "gemini",
    "grok": "xai",
    "hf": "huggingface",
    "kimi": "moonshot",
    "llama.cpp": "llamacpp",
    "nim": "nvidia",
    "qwen": "alibaba",
    "vertex-ai": "vertex",
    "workers-ai": "cloudflare",
    "x.ai": "xai",
    "z.ai": "zai",
}
_VARIABLE = tuple(entry for entry in PROVIDERS if entry.variables)
_ROOTS = {
    root: entry
    for entry in PROVIDERS
    if not entry.variables
    for root in (entry.root, *entry.other_roots, *(one.root for one in entry.endpoints.values() if one.root))
}

_VERSION_SEGMENT = re.compile(r"v\d+(?:(?:alpha|beta)\d*)?")
_URL_CHARACTERS = re.compile(r"[\x21-\x7e]+")
_ENDPOINT = re.compile(r"/(?:chat/completions|completions|messages|responses|models|embeddings)$")
# Models that a tiny text request cannot test.
_NOT_FOR_TEXT = re.compile(
    r"embed|whisper|tts|audio|speech|transcri|image|dall-e|imagen|veo|sora|moderation|rerank|guard|realtime|ocr|bge-"
)


def known(name: str) -> Known | None:
    """The provider of that name, None when fairlead does not know it."""
    return KNOWN.get(name)


def vendor_of(root: str) -> str:
    """The name of the known provider whose root this is, '' for any other."""
    entry = _ROOTS.get(root) or _match_variable(root)
    return entry.name if entry else ""


def _match_variable(root: str) -> Known | None:
    return next((entry for entry in _VARIABLE if match_root(entry, root) is not None), None)


def find_foreign(vendor: str, key: str) -> tuple[Known, str] | None:
    """The other provider whose keys begin like this one, and how they do. None for a key that may be the vendor's own,
    and where the vendor is not known: a gateway takes keys of any form."""
    entry = known(vendor)
    if entry is None or not entry.needs_key or key.startswith(entry.key_prefixes):
        return None
    return next(((other, start) for other in PROVIDERS for start in other.key_prefixes if key.startswith(start)), None)


def price_root(backend: Backend) -> str:
    """The URL by which the prices of a backend's models are found, '' when nobody bills its tokens."""
    entry = known(backend.vendor)
    return "" if entry is not None and entry.unbilled else backend.root


def api_of(backend: Backend) -> Api:
    """The API whose form a backend's key and model list have: its provider's, else the API that all its protocols
    belong to, else COMMON."""
    entry = known(backend.vendor)
    if entry is not None:
        return entry.api
    first = PROTOCOLS.get(backend.protocols[0], COMMON) if backend.protocols else COMMON
    return first if all(PROTOCOLS.get(name) is first for name in backend.protocols) else COMMON


def find_own_protocols(backend: Backend) -> tuple[str, ...]:
    """The protocols in which a backend with auth=client gets the caller's own login: those of its provider that it
    speaks, where that is known. A login for one vendor's protocol means nothing in another's."""
    entry = known(backend.vendor)
    return tuple(name for name in backend.protocols if entry is None or name in entry.protocols)


def refuses_max_tokens(vendor: str) -> bool:
    """True for a provider whose newer models refuse Chat's `max_tokens`."""
    entry = known(vendor)
    return entry is not None and entry.refuses_max_tokens


def text_model(backend: Backend, catalog: list[str]) -> str | None:
    """A model of the catalog for a tiny text request, the cheapest where one is known; None when none fits."""
    entry = known(backend.vendor)
    for model in entry.models if entry else ():
        if model in catalog:
            return model
    return next(filter(is_for_text, catalog), None)


def is_for_text(model: str) -> bool:
    """False for a model whose name says that it makes no text: of embeddings, images, speech, moderation."""
    return _NOT_FOR_TEXT.search(model.lower()) is None


def clean_url(url: str) -> str:
    """The URL without trailing slashes, scheme and host in lower case. Raises ValueError with what is wrong."""
    text = url.strip()
    if not _URL_CHARACTERS.fullmatch(text) or "\\" in text:
        raise ValueError("it has a space, a backslash or a character that is not ASCII")
    parts = _split(text)
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name or password; a key is given apart from the URL")
    if "?" in text or "#" in text:
        raise ValueError("it has a query or fragment; give the URL without it")
    if any(segment in (".", "..") for segment in parts.path.split("/")):
        raise ValueError("its path has a dot segment")
    host = clean_host(parts.hostname or "")
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its host or port is malformed") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("it does not begin with https:// or http://")
    if not parts.hostname or port == 0:
        raise ValueError("its host or port is missing" if not parts.hostname else "its port is 0")
    return parts


def api_root(url: str) -> str:
    """The root that `/chat/completions` is appended to, from a base URL with or without its version segment.

    Raises ValueError with what is wrong with the URL.
    """
    check_root(url)
    cleaned = clean_url(url)
    if cleaned in _ROOTS:
        return cleaned
    whole = next((found for entry in _VARIABLE if (found := complete_root(entry, cleaned))), "")
    if whole:
        return whole
    endpoint = _ENDPOINT.search(cleaned)
    if endpoint:
        raise ValueError(f"it must not include {endpoint[0]}")
    last = cleaned.rpartition("/")[2]
    return cleaned if _VERSION_SEGMENT.fullmatch(last) else f"{cleaned}/v1"


def same_place(one: str, other: str) -> bool:
    """True when two roots differ in a trailing /v1 at most: a key given for one may go to the other."""
    return one.removesuffix("/v1") == other.removesuffix("/v1")


def same_host(one: str, other: str) -> bool:
    """True when two roots have one scheme, host and port: a caller's own credential for one may go to the other."""
    return _origin_of(one) == _origin_of(other)


def _origin_of(root: str) -> tuple[str, str, int]:
    parts = urlsplit(root)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_https(root: str) -> bool:
    """True when traffic to this root is encrypted."""
    return root.startswith("https://")


def host_of(root: str) -> str:
    """The host of a root, without port and brackets."""
    return urlsplit(root).hostname or ""


def plain_http_allowed(host: str) -> bool:
    """True for hosts that http:// may reach: this machine and private addresses, off the public internet."""
    return find_nearness(host) in ("here", "private")


def find_risk(root: str) -> Literal["", "http", "link-local"]:
    """Why a root needs the user's permission, '' when it needs none: `http` shows keys and texts on the way to a public
    address, and at a `link-local` one a cloud gives out credentials."""
    nearness = find_nearness(host_of(root))
    if nearness == "link-local":
        return "link-local"
    return "http" if nearness == "public" and not is_https(root) else ""
