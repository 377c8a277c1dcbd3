"""The next step after each failure of a backend."""

import pytest

from router.backends import Backend
from router.backends.advice import advise, guess_root
from router.backends.providers import PROVIDERS

LOCAL = "http://127.0.0.1:8000/v1"
PUBLIC = "https://api.example/v1"
SET = "fairlead backend set box --base-url"


def box(root, vendor=""):
    return Backend(name="box", root=root, protocols=("chat",), vendor=vendor)


@pytest.mark.parametrize(
    ("cause", "backend", "words"),
    [
        ("", box(LOCAL), None),
        ("silent", box(LOCAL), None),
        ("refused", box(LOCAL), f"Is its server running, and is the port right? Change the address: {SET} URL"),
        ("refused", box(LOCAL, "ollama"), "Is Ollama running? Start it: ollama serve"),
        ("refused", box(LOCAL, "vllm"), "Is vLLM running? Start it: vllm serve MODEL"),
        ("name", box(PUBLIC), f"Is it spelled correctly, and are network and VPN up? Change the address: {SET} URL"),
        (
            "proxy",
            box(PUBLIC),
            "The proxy comes from upstream_proxy, else from HTTPS_PROXY. Go without it: "
            "fairlead config set upstream_proxy off",
        ),
        (
            "speaks_http",
            box("https://10.0.0.8:8000/v1"),
            f"It speaks plain HTTP: use http://10.0.0.8:8000: {SET} http://10.0.0.8:8000/v1",
        ),
        (
            "speaks_http",
            box(PUBLIC),
            "It speaks plain HTTP, in which anyone on the way can read keys and texts. Check its base URL",
        ),
        ("speaks_tls", box(LOCAL), f"It expects TLS: use https://: {SET} https://127.0.0.1:8000/v1"),
        ("closed", box(LOCAL), f"Does it expect TLS? Then use https://: {SET} https://127.0.0.1:8000/v1"),
        ("closed", box(PUBLIC), None),
        (
            "tls_closed",
            box("https://localhost/v1"),
            f"Does it speak plain HTTP? Then use http://localhost: {SET} http://localhost/v1",
        ),
        ("tls_closed", box(PUBLIC), "A firewall or filter may be blocking it"),
        ("not_tls", box(PUBLIC), "A login page or proxy may be intercepting the connection"),
        ("path", box("https://api.openai.com"), "Is its path right? It may be https://api.openai.com/v1: "),
        ("path", box("https://api.groq.com/v1"), f"{SET} https://api.groq.com/openai/v1"),
        ("path", box(LOCAL), f"Is its path right? Change the address: {SET} URL"),
        ("redirect", box(PUBLIC), f"Redirects are not followed. Correct its base URL: {SET} URL"),
    ],
)
def test_each_cause_has_its_next_step(cause, backend, words):
    """A question where it is not certain; http:// is proposed only where it may be used."""
    advice = advise(cause, backend)
    assert (advice is None) is (words is None)
    if advice is not None:
        assert words in advice.join()


def test_a_backend_that_is_not_stored_is_added():
    """The command is then `add`."""
    assert advise("refused", box(LOCAL), verb="add").command == "fairlead backend add box --base-url URL"


def test_servers_of_the_users_own_can_be_started():
    """Every known provider on this machine says how, and no service does."""
    for entry in PROVIDERS:
        assert bool(entry.start) is ("//127.0.0.1:" in entry.root), entry.name


def test_a_root_is_guessed_only_where_it_differs():
    """The known provider's on that host, else /v1."""
    assert guess_root("http://127.0.0.1:9999/api/v2") == "http://127.0.0.1:9999/v1"
    assert guess_root("http://127.0.0.1:9999/v1") == ""
    assert guess_root("https://openrouter.ai/v1") == "https://openrouter.ai/api/v1"
