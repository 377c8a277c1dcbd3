"""Known providers and base URLs."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.backends import ANTHROPIC, OPENAI, PROTOCOLS, Backend
from router.backends.known import (
    KNOWN,
    OTHER_NAMES,
    api_of,
    api_root,
    clean_url,
    host_of,
    is_https,
    known,
    plain_http_allowed,
    price_root,
    same_host,
    same_place,
    text_model,
    vendor_of,
)
from router.backends.variables import fill_roots


def fill_example(entry, template):
    """A root of a provider for the first example of each of its variables."""
    values = {name: one.example.partition(" ")[0] for name, one in entry.variables.items()}
    return fill_roots(msgspec.structs.replace(entry, root=template), values).root


def backend(root: str = "https://llm.example/v1", vendor: str = "", protocols: tuple[str, ...] = ("chat",)) -> Backend:
    return Backend(name="some", root=root, protocols=protocols, vendor=vendor)


@pytest.mark.parametrize("entry", KNOWN.values(), ids=KNOWN)
def test_known_provider_is_whole(entry):
    """Each known provider has a root that is its own base URL, protocols that exist, and families that compile."""
    roots = [fill_example(entry, root) for root in (entry.root, *entry.other_roots)]
    for root in roots:
        assert vendor_of(root) == entry.name
        assert api_root(root) == root
    assert entry.protocols == tuple(name for name in PROTOCOLS if name in entry.protocols) != ()
    assert all(re.compile(family) for family in entry.families)
    assert all(header == header.lower() for header in entry.own_headers)
    assert is_https(roots[0]) or plain_http_allowed(host_of(roots[0]))
    assert entry.name == entry.name.lower()


@pytest.mark.parametrize(
    ("vendor", "billed"),
    [
        ("", True),
        ("openai", True),
        ("litellm", True),
        ("ollama", False),
        ("lmstudio", False),
        ("vllm", False),
        ("llamacpp", False),
    ],
)
def test_servers_that_nobody_bills(vendor, billed):
    """A server of the user's own has no prices, wherever it runs; any other backend is known to prices by its URL."""
    assert price_root(backend(vendor=vendor)) == ("https://llm.example/v1" if billed else "")


@pytest.mark.parametrize(
    ("model", "vendor"),
    [
        ("gpt-5", "openai"),
        ("o3-mini", "openai"),
        ("claude-opus-5", "anthropic"),
        ("gemini-3-pro", "gemini"),
        ("grok-4", "xai"),
        ("codestral-latest", "mistral"),
        ("deepseek-chat", "deepseek"),
        ("llama3:8b", None),
        ("omni-model", None),
    ],
)
def test_family_names_one_vendor(model, vendor):
    """A model name belongs to the family of one provider at most."""
    owners = [e.name for e in KNOWN.values() if any(re.fullmatch(family, model) for family in e.families)]
    assert owners == ([vendor] if vendor else [])


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com/v1", "https://api.openai.com/v1"),
        ("https://api.z.ai/api/paas/v4", "https://api.z.ai/api/paas/v4"),
        ("https://x.example/v1beta", "https://x.example/v1beta"),
        ("https://x.example/v1beta2//", "https://x.example/v1beta2"),
        ("https://x.example/v1beta/openai", "https://x.example/v1beta/openai/v1"),
        ("https://api.deepseek.com/", "https://api.deepseek.com"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("  https://x.example/Team  ", "https://x.example/Team/v1"),
        ("https://x.example/version", "https://x.example/version/v1"),
    ],
)
def test_base_url_is_taken_with_or_without_version(url, root):
    """A base URL ends in its version segment, which is added when it is missing."""
    assert api_root(url) == root


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "character"),
        ("api.openai.com", "https://"),
        ("ftp://x.example", "https://"),
        ("https://", "host"),
        ("https://x.example:99999", "malformed"),
        ("https://x.example:0", "port is 0"),
        ("https://[::1", "malformed"),
        ("https://user:pass@x.example/v1", "user name"),
        ("https://x.example/v1?key=1", "query"),
        ("https://x.example/v1#part", "fragment"),
        ("https://x.example/a/../v1", "dot segment"),
        ("https://x.example\\@evil/v1", "backslash"),
        ("https://x.example/v1\nHost: y", "character"),
        ("https://ex ample/v1", "space"),
        ("https://x.example/v1/chat/completions", "/chat/completions"),
    ],
)
def test_bad_url_is_refused_with_its_fault(url, why):
    """A URL that cannot be a base URL is refused, and the text says what is wrong."""
    with pytest.raises(ValueError, match=why):
        api_root(url)


urls = st.builds(
    "{}://{}{}/{}{}".format,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}|\[::[0-9a-f]{1,4}\]", fullmatch=True),
    st.sampled_from(["", ":80", ":65535"]),
    st.from_regex(r"[A-Za-z0-9/_~%-]{0,30}", fullmatch=True),
    st.sampled_from(["", "/v1", "/v2beta3", "/"]),
)


@given(urls | st.text(max_size=60))
def test_root_is_stable(url):
    """Every accepted base URL becomes a clean root, which stays the same when it is read again."""
    try:
        root = api_root(url)
    except ValueError:
        return
    assert api_root(root) == clean_url(root) == root
    assert root.startswith(("http://", "https://"))
    assert not root.endswith("/")
    assert not re.search(r"[\s?#@\\]", root)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("10.1.2.3", True),
        ("192.168.0.9", True),
        ("172.31.0.1", True),
        ("169.254.1.1", False),
        ("fe80::1%eth0", False),
        ("10.0.0.1%x.evil.example", False),
        ("127.0.0.1%", False),
        ("240.0.0.1", False),
        ("0.0.0.0", True),
        ("0.0.0.1", False),
        ("100.64.0.1", False),
        ("198.18.0.1", False),
        ("2001:db8::1", False),
        ("localhost.", True),
        ("fd00::7", True),
        ("nas.local", True),
        ("host.docker.internal", True),
        ("8.8.8.8", False),
        ("::ffff:8.8.8.8", False),
        ("::ffff:10.0.0.1", True),
        ("172.32.0.1", False),
        ("local", False),
        ("notlocalhost", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("", False),
    ],
)
def test_plain_http_stays_near(host, allowed):
    """http:// is for this machine and private addresses only."""
    assert plain_http_allowed(host) is allowed


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://x.example/v1", "https://x.example/v1", True),
        ("https://x.example/v1", "https://x.example", True),
        ("https://x.example", "https://x.example/v1", True),
        ("https://x.example/v1", "https://x.example/v2", False),
        ("https://x.example/v1", "https://x.example/a/v1", False),
        ("https://x.example/v1", "http://x.example/v1", False),
        ("https://x.example/v1", "https://x.example:8443/v1", False),
        ("https://x.example/v1", "https://x.example.evil/v1", False),
    ],
)
def test_a_key_stays_where_it_was_given(one, other, same):
    """Roots that differ in a trailing /v1 at most are one place; all others are not."""
    assert same_place(one, other) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://x.example/v1", "https://x.example/other", True),
        ("https://x.example/v1", "https://x.example:443/v1", True),
        ("http://10.0.0.7/v1", "http://10.0.0.7:80/v1", True),
        ("https://10.0.0.7/v1", "http://10.0.0.7/v1", False),
        ("https://10.0.0.7:443/v1", "http://10.0.0.7:443/v1", False),
        ("https://x.example:80/v1", "http://x.example/v1", False),
        ("https://x.example/v1", "https://x.example:8443/v1", False),
    ],
)
def test_a_login_stays_at_its_scheme_host_and_port(one, other, same):
    """Two roots are one host if they are reached in one scheme, at one port."""
    assert same_host(one, other) is same


def test_other_names_lead_to_known_ones():
    """Each other name that users type leads to a known provider, and is not itself a provider's name."""
    assert set(OTHER_NAMES.values()) <= set(KNOWN)
    assert not set(OTHER_NAMES) & set(KNOWN)


def test_the_api_of_a_backend():
    """A known vendor decides the API; otherwise a server that speaks only Messages gets Anthropic's header."""
    assert api_of(backend(vendor="anthropic")) is ANTHROPIC
    assert api_of(backend(vendor="openrouter", protocols=("messages",))) is OPENAI
    assert api_of(backend(protocols=("messages",))) is ANTHROPIC
    assert api_of(backend(protocols=("messages", "chat"))) is OPENAI


def test_model_for_a_tiny_request():
    """The model for a test is the vendor's cheapest listed one, and never one that cannot answer text."""
    assert text_model(backend(vendor="openai"), ["gpt-5", "gpt-5-mini"]) == "gpt-5-mini"
    assert text_model(backend(), ["text-embedding-3", "whisper-1", "qwen3"]) == "qwen3"
    assert text_model(backend(), ["text-embedding-3"]) is None
    assert known("nobody") is None
