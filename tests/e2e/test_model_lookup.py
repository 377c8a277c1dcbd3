"""GET /v1/models/ID finds every model that a request would be served for, whatever its name is made of."""

from urllib.parse import quote

import anthropic
import openai
import pytest

from .processes import Proxy, backend
from .samples import CHAT
from .upstream import Upstream
from .wire import Client, ask

MANY = [
    "deepseek/deepseek-chat:free",
    "a/b",
    "claude-opus-5[1m]",
    "größe",
    "100%",
    "models/x",
    "v1/y",
    "a//b",
    "q?#&+ z",
    "a%2Fb",
    "gpt-4.1",
]


@pytest.mark.parametrize("name", [*MANY, *(f"many:{one}" for one in MANY), "many:un/listed"])
def test_every_model_id_can_be_looked_up(many, name):
    """By both SDKs, and by hand with what HTTP lets stand in a path as it is: slashes, colons, escapes."""
    options = {"api_key": "fairlead", "max_retries": 0}
    with openai.OpenAI(base_url=f"http://localhost:{many.port}/v1", **options) as client:
        found = client.models.retrieve(name)
        assert (found.id, found.owned_by, found.object) == (name, "many", "model")
    with anthropic.Anthropic(base_url=f"http://localhost:{many.port}", **options) as client:
        found = client.models.retrieve(name)
        assert (found.id, found.display_name, found.type) == (name, name, "model")
    for path in (quote(name, safe="/:"), quote(name, safe=""), quote(name, safe="/:[]@!$&'()*+,;=")):
        answer = ask(many.port, f"/v1/models/{path}")
        assert (answer.status, answer.json()["id"]) == (200, name), path


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A proxy in front of a backend whose models have names of all kinds."""
    up = Upstream(models=MANY)
    with Proxy(tmp_path_factory.mktemp("many"), "--demo", "off", backends=[backend("many", up.root)]) as proxy:
        proxy.settled("many")
        yield proxy
    up.stop()


def test_a_model_that_is_not_served_is_not_found(site):
    """For both SDKs a 404 that names what is near, as a request with the name is refused; by default all are served."""
    site.configure([site.entry("alpha")])
    options = {"api_key": "fairlead", "max_retries": 0}
    asked = ask(site.proxy.port, CHAT.path, CHAT.body("claude-opus-4-7"))
    with openai.OpenAI(base_url=f"http://localhost:{site.proxy.port}/v1", **options) as client:
        with pytest.raises(openai.NotFoundError, match=r"Nearest: claude-opus-4-8 \(alpha\)") as caught:
            client.models.retrieve("claude-opus-4-7")
        assert (asked.status, caught.value.code) == (404, "model_not_found")
    with (
        anthropic.Anthropic(base_url=f"http://localhost:{site.proxy.port}", **options) as client,
        pytest.raises(anthropic.NotFoundError, match="Nearest: claude-opus-4-8"),
    ):
        client.models.retrieve("claude-opus-4-7")
    site.configure([site.entry("alpha")], default_backend="alpha")
    assert ask(site.proxy.port, "/v1/models/claude-opus-4-7").json()["owned_by"] == "alpha"


def test_a_model_of_the_first_second_is_found(tmp_path):
    """A client that asks for its model before it begins does not get a 404 while the catalogs are loading."""
    slow = Upstream(models=["late/model"])
    slow.listed.clear()
    try:
        with (
            Proxy(tmp_path, "--demo", "off", backends=[backend("slow", slow.root)]) as proxy,
            Client(proxy.port) as client,
        ):
            client.send(b"GET /v1/models/late/model HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert proxy.status()["backends"]  # by then the request has been looked at
            slow.listed.set()
            assert client.answer().json()["owned_by"] == "slow"
    finally:
        slow.listed.set()
        slow.stop()
