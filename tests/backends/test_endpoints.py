"""Where and how known providers are asked: URL, header of the key and own headers of each protocol, as data."""

import msgspec
import pytest

from router.backends import ANTHROPIC, PROTOCOLS, Account, Backend, changes
from router.backends.changes import Wish
from router.backends.endpoints import (
    below_version,
    find_endpoint,
    find_key_header,
    find_protocols,
    find_root,
    list_set_headers,
)
from router.backends.known import KNOWN, api_root, vendor_of
from router.backends.variables import WrongVariable, read_variables
from router.errors import BadRequest
from router.wire.paths.upstream import build_path, build_url, fit_object, fit_splice
from router.wire.protocols import BY_NAME
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import peek

BEARER, API_KEY = ("Authorization", "Bearer "), ("X-Api-Key", "")
AWS = {"region": "us-east-1"}
GOOGLE = {"project": "p-1", "location": "europe-west1"}
RESOURCE = {"resource": "res"}
SPACE = {"workspace": "w1"}
ACCOUNT = "0123456789abcdef0123456789abcdef"

VERTEX = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west1"
RUNTIME = "https://bedrock-runtime.us-east-1.amazonaws.com"
MANTLE = "https://bedrock-mantle.us-east-1.api.aws"
CLOUDFLARE = f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/v1"
BRICKS = "https://dbc-1.cloud.databricks.com/serving-endpoints"
GCP = "https://claude.googleapis.com/v1/projects/p-1/locations/europe-west1/workspaces/w1/invoke/v1"

MESSAGES, CHAT, RESPONSES = "/messages", "/chat/completions", "/responses"

# Provider, its variables, protocol -> the URL of a request for text and the header of the key.
TABLE = [
    (
        "vertex",
        GOOGLE,
        {
            "messages": (f"{VERTEX}/publishers/anthropic/models/m:rawPredict", BEARER),
            "chat": (f"{VERTEX}/endpoints/openapi/chat/completions", BEARER),
            "responses": (f"{VERTEX}/publishers/openai/v1/responses", BEARER),
            "gemini": (f"{VERTEX}/publishers/google/models/m:generateContent", BEARER),
        },
    ),
    (
        "bedrock",
        AWS,
        {
            "messages": (f"{RUNTIME}/anthropic/v1/messages", BEARER),
            "chat": (f"{RUNTIME}/openai/v1/chat/completions", BEARER),
            "responses": (f"{RUNTIME}/openai/v1/responses", BEARER),
        },
    ),
    ("bedrock-invoke", AWS, {"messages": (f"{RUNTIME}/model/m/invoke", BEARER)}),
    (
        "bedrock-mantle",
        AWS,
        {
            "messages": (f"{MANTLE}/anthropic/v1/messages", BEARER),
            "chat": (f"{MANTLE}/v1/chat/completions", BEARER),
            "responses": (f"{MANTLE}/v1/responses", BEARER),
        },
    ),
    (
        "claude-aws",
        {**AWS, **SPACE},
        {"messages": ("https://aws-external-anthropic.us-east-1.api.aws/v1/messages", BEARER)},
    ),
    ("claude-gcp", {**GOOGLE, **SPACE}, {"messages": (f"{GCP}/messages", BEARER)}),
    (
        "azure",
        RESOURCE,
        {
            "chat": ("https://res.openai.azure.com/openai/v1/chat/completions", BEARER),
            "responses": ("https://res.openai.azure.com/openai/v1/responses", BEARER),
        },
    ),
    (
        "foundry",
        RESOURCE,
        {
            "messages": ("https://res.services.ai.azure.com/anthropic/v1/messages", API_KEY),
            "chat": ("https://res.services.ai.azure.com/openai/v1/chat/completions", BEARER),
            "responses": ("https://res.services.ai.azure.com/openai/v1/responses", BEARER),
        },
    ),
    (
        "cloudflare",
        {"account": ACCOUNT},
        {
            "messages": (CLOUDFLARE + MESSAGES, BEARER),
            "chat": (CLOUDFLARE + CHAT, BEARER),
            "responses": (CLOUDFLARE + RESPONSES, BEARER),
        },
    ),
    (
        "databricks",
        {"host": "dbc-1.cloud.databricks.com"},
        {"messages": (f"{BRICKS}/anthropic/v1/messages", BEARER), "chat": (BRICKS + CHAT, BEARER)},
    ),
    *(
        (name, {}, {protocol: (root + BY_NAME[protocol].path[3:], BEARER) for protocol in protocols})
        for name, root, protocols in (
            ("huggingface", "https://router.huggingface.co/v1", ("messages", "chat", "responses")),
            ("sambanova", "https://api.sambanova.ai/v1", ("messages", "chat", "responses")),
            ("nvidia", "https://integrate.api.nvidia.com/v1", ("chat",)),
            ("nebius", "https://api.tokenfactory.nebius.com/v1", ("chat",)),
            ("deepinfra", "https://api.deepinfra.com/v1/openai", ("chat",)),
            ("baseten", "https://inference.baseten.co/v1", ("messages", "chat")),
            ("scaleway", "https://api.scaleway.ai/v1", ("chat", "responses")),
            ("ovh", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", ("chat",)),
            ("ollama-cloud", "https://ollama.com/v1", ("messages", "chat", "responses")),
            ("vercel", "https://ai-gateway.vercel.sh/v1", ("messages", "chat", "responses")),
            ("meta", "https://api.meta.ai/v1", ("messages", "chat", "responses")),
        )
    ),
    (
        "novita",
        {},
        {
            "messages": ("https://api.novita.ai/anthropic/v1/messages", API_KEY),
            "chat": ("https://api.novita.ai/openai/v1/chat/completions", BEARER),
        },
    ),
    (
        "minimax",
        {},
        {
            "messages": ("https://api.minimax.io/anthropic/v1/messages", API_KEY),
            "chat": ("https://api.minimax.io/v1/chat/completions", BEARER),
        },
    ),
]
BY_VENDOR = {name: variables for name, variables, _ in TABLE}


def make(name, variables=None, **wish):
    """A backend as `backend add` makes it."""
    found = BY_VENDOR.get(name, {}) if variables is None else variables
    asked = Wish(key="k", variables=found, **wish)
    return changes.add_backend(name, asked, changes.root_for(name, asked, None), None, now=1.0).backend


def url_of(backend, protocol, *, model="m", stream=False, count=False):
    """The URL of a request in a protocol."""
    entry = BY_NAME[protocol]
    path = entry.count.path if count else entry.path_for(model, stream=stream)
    endpoint = find_endpoint(backend, protocol)
    return build_url(find_root(backend, protocol), endpoint, entry, path, model, stream=stream)


@pytest.mark.parametrize(("name", "variables", "served"), TABLE, ids=[row[0] for row in TABLE])
def test_each_protocol_has_its_url_and_key_header(name, variables, served):
    """A provider is asked at the documented URL, with the key in the documented header, in each of its protocols."""
    backend = make(name, variables)
    assert backend.vendor == name
    assert set(backend.protocols) == set(served)
    for protocol, (url, header) in served.items():
        assert url_of(backend, protocol) == url
        assert find_key_header(backend, protocol) == header


@pytest.mark.parametrize(("name", "variables", "served"), TABLE, ids=[row[0] for row in TABLE])
def test_a_documented_url_is_recognized(name, variables, served):
    """The base URL of a protocol makes the same backend as the provider's name, with and without its /v1; one letter
    more does not."""
    backend = make(name, variables)
    for protocol in served:
        root = find_root(backend, protocol)
        urls = [root, root + "/", root.removesuffix("/v1")] if root.count("/") > 3 else [root]
        for url in urls:
            asked = Wish(root=api_root(url), key="k", variables=variables if name == "claude-aws" else {})
            found = changes.add_backend("mine", asked, changes.root_for("mine", asked, None), None, now=1.0).backend
            assert (found.vendor, found.root, found.roots) == (name, backend.root, backend.roots)
            assert found.variables == backend.variables
        host = root.partition("://")[2].partition("/")[0]
        assert vendor_of(root.replace(host, f"{host}.example")) == ""
        assert vendor_of(root.replace(host, f"x.{host}")) == ""


@pytest.mark.parametrize("name", [row[0] for row in TABLE])
def test_each_new_provider_names_its_source(name):
    """An entry says which public document it follows, and a cloud's also what a key must be allowed."""
    entry = KNOWN[name]
    assert entry.source.startswith("https://")
    assert bool(entry.key_needs) == bool(entry.variables)
    assert set(entry.protocols) <= set(PROTOCOLS)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ],
)
def test_a_location_chooses_the_host(location, host):
    """Google's global and multi-region locations have hosts of their own."""
    backend = make("vertex", {"project": "p", "location": location})
    assert backend.root == f"https://{host}/v1/projects/p/locations/{location}/endpoints/openapi"


@pytest.mark.parametrize(
    ("region", "end"),
    [("us-east-1", "com"), ("cn-north-1", "com.cn"), ("eusc-de-east-1", "eu"), ("us-gov-west-1", "com")],
)
def test_a_region_chooses_the_domain(region, end):
    """AWS has its regions in China and its sovereign ones under other domains."""
    assert make("bedrock", {"region": region}).root == f"https://bedrock-runtime.{region}.amazonaws.{end}/openai/v1"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://models.github.ai/inference", "retired on 2026-07-30"),
        ("https://models.inference.ai.azure.com", "retired on 2026-07-30"),
        ("http://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1", "https:// alone"),
        ("http://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi", "https:// alone"),
        ("http://res.openai.azure.com/openai/v1", "https:// alone"),
        (
            "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi",
            "location global on aiplatform.googleapis.com",
        ),
        (
            "https://aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic",
            "location us-east5 on us-east5-aiplatform.googleapis.com",
        ),
        (
            "https://res.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
            "use https://res.openai.azure.com/openai/v1",
        ),
        (
            "https://res.cognitiveservices.azure.com/openai/deployments/d",
            "use https://res.openai.azure.com/openai/v1",
        ),
        ("https://res.services.ai.azure.com/models", "use https://res.services.ai.azure.com/openai/v1"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url, why):
    """A retired API, plain http to a cloud, a host of another location and Azure's former URLs are refused with what
    to use instead."""
    with pytest.raises(ValueError, match=why):
        api_root(url)


@pytest.mark.parametrize(
    ("name", "given", "wrong", "missing"),
    [
        ("vertex", {}, "project", True),
        ("vertex", {"project": "p"}, "location", True),
        ("vertex", {"project": "p/../q", "location": "global"}, "project", False),
        ("vertex", {"project": "p", "location": "Europe"}, "location", False),
        ("bedrock", {"region": "us_east_1"}, "region", False),
        ("bedrock", {"region": "us-east-1.evil.example/"}, "region", False),
        ("azure", {"resource": "res.openai.azure.com"}, "resource", False),
        ("azure", {"resource": "https://res.openai.azure.com"}, "resource", False),
        ("azure", {"resource": "r\n"}, "resource", False),
        ("cloudflare", {"account": "me"}, "account", False),
        ("databricks", {"host": "evil.example"}, "host", False),
    ],
)
def test_a_variable_without_its_form_is_refused(name, given, wrong, missing):
    """A missing or malformed variable is named together with the form that was expected."""
    with pytest.raises(WrongVariable, match=wrong) as caught:
        read_variables(KNOWN[name], given, {})
    assert (caught.value.name, caught.value.missing) == (wrong, missing)
    assert KNOWN[name].variables[wrong].example in str(caught.value)


def test_variables_come_from_the_environment_too():
    """What the provider's own tools read is taken where nothing is given, and a URL there stands for its host."""
    environ = {"GOOGLE_CLOUD_PROJECT": "p-2", "GOOGLE_CLOUD_LOCATION": "global", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert read_variables(KNOWN["vertex"], {"project": "p-1"}, environ) == {"project": "p-1", "location": "global"}
    assert read_variables(KNOWN["bedrock"], {}, {"AWS_REGION": " ", **environ}) == {"region": "eu-west-1"}
    bricks = {"DATABRICKS_HOST": "https://dbc-1.cloud.databricks.com/"}
    assert read_variables(KNOWN["databricks"], {}, bricks) == {"host": "dbc-1.cloud.databricks.com"}


def test_another_place_takes_all_roots_along():
    """A private endpoint, given by its URL, has the provider's paths in each protocol; so has a region's service."""
    backend = make("vertex", root="http://127.0.0.1:8123/v1")
    place = "http://127.0.0.1:8123/v1/projects/p-1/locations/europe-west1"
    assert backend.root == f"{place}/endpoints/openapi"
    assert url_of(backend, "messages") == f"{place}/publishers/anthropic/models/m:rawPredict"
    china = make("minimax", root="https://api.minimaxi.com/v1")
    assert url_of(china, "messages") == "https://api.minimaxi.com/anthropic/v1/messages"


def test_a_second_root_of_a_provider_stays():
    """Bedrock's mantle serves some models under another root, which a backend of its own has."""
    backend = make("mantle2", {}, root=f"{MANTLE}/openai/v1")
    assert backend.vendor == "bedrock-mantle"
    assert url_of(backend, "chat") == f"{MANTLE}/openai/v1/chat/completions"
    assert url_of(backend, "messages") == f"{MANTLE}/anthropic/v1/messages"


def test_a_stored_backend_is_asked_as_before():
    """A backend file without further roots is asked in all protocols at its root, with the key header of its API."""
    backend = Backend(name="own", root="https://own.example/v1", protocols=("messages",), accounts=(Account("a", "k"),))
    assert url_of(backend, "messages") == "https://own.example/v1/messages"
    assert find_key_header(backend, "messages") == API_KEY
    assert find_key_header(msgspec.structs.replace(backend, auth_header="bearer"), "messages") == BEARER
    assert msgspec.structs.replace(backend, protocols=("chat",)) != backend
    assert hash(backend) == hash(msgspec.structs.replace(backend))


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("bearer", BEARER),
        ("x-api-key", API_KEY),
        ("api-key", ("api-key", "")),
        ("x-goog-api-key", ("x-goog-api-key", "")),
    ],
)
def test_the_users_form_of_the_key_wins(form, header):
    """The header that the user asks for carries the key in every protocol, whatever the provider's is."""
    backend = make("foundry", auth_header=form)
    assert {find_key_header(backend, protocol) for protocol in (None, *backend.protocols)} == {header}


def test_a_needed_header_is_sent():
    """Claude on AWS is told the workspace in every request."""
    assert list_set_headers(make("claude-aws")) == {"anthropic-workspace-id": "w1"}
    assert list_set_headers(make("bedrock")) == {}


@pytest.mark.parametrize(
    ("name", "model", "protocols"),
    [
        ("vertex", "claude-opus-4-5@20251101", ("messages",)),
        ("vertex", "google/gemini-3-pro", ("chat",)),
        ("vertex", "gpt-5.6", ("responses",)),
        ("vertex", "gemini-3-pro", ("gemini",)),
        ("bedrock", "us.anthropic.claude-opus-5", ("messages",)),
        ("bedrock", "openai.gpt-oss-20b-1:0", ("chat", "responses")),
        ("foundry", "claude-opus-5", ("messages",)),
        ("foundry", "my-deployment", ("chat", "responses")),
        ("azure", "my-claude", ("chat", "responses")),
        ("vertex", "gemini-3.5-flash", ("gemini",)),
        ("vertex", None, ("messages", "chat", "responses", "gemini")),
    ],
)
def test_a_model_has_its_protocols(name, model, protocols):
    """A cloud serves Claude in Messages and other models in OpenAI's protocols; an unknown name may be in any."""
    assert find_protocols(make(name), model) == protocols


def test_a_login_stays_in_its_protocol():
    """A backend that gets each tool's own login serves each model as it is asked: no login goes along a translation."""
    backend = msgspec.structs.replace(make("foundry"), auth="client", accounts=())
    assert find_protocols(backend, "my-deployment") == ("messages", "chat", "responses")


def test_model_moves_to_the_path():
    """Claude on Vertex is named in the path of requests and streams, and in the body of a count; all other bytes of the
    body stay."""
    backend = make("vertex")
    base = f"{VERTEX}/publishers/anthropic/models"
    assert url_of(backend, "messages", model="claude-opus-4-5@20251101", stream=True) == (
        f"{base}/claude-opus-4-5@20251101:streamRawPredict"
    )
    assert url_of(backend, "messages", count=True) == f"{base}/count-tokens:rawPredict"
    endpoint, entry = find_endpoint(backend, "messages"), BY_NAME["messages"]
    body = b'{ "zeta" : 1.50,  "model":"m", "messages":[]  }'
    splice = Splice(body, peek(body))
    fit_splice(splice, endpoint, entry, entry.path)
    assert b"".join(splice.parts()) == b'{"anthropic_version":"vertex-2023-10-16", "zeta" : 1.50, "messages":[]  }'
    counted = Splice(body, peek(body))
    fit_splice(counted, endpoint, entry, entry.count.path)
    assert counted.value("model") == "m"
    assert fit_object({"model": "m", "max_tokens": 1}, endpoint, entry, entry.path) == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 1,
    }


@pytest.mark.parametrize(
    ("body", "header", "version"),
    [
        (b'{"model":"m"}', b"2023-06-01", "vertex-2023-10-16"),
        (b'{"model":"m"}', b"2026-10-21", "2026-10-21"),
        (b'{"model":"m"}', b"2026-10-21, x", "vertex-2023-10-16"),
        (b'{"model":"m","anthropic_version":"own"}', b"2026-10-21", "own"),
    ],
)
def test_version_moves_to_the_body(body, header, version):
    """The version of the API stands in the body at Vertex: the caller's own, that of its header where Vertex knows it,
    else the documented one."""
    entry = BY_NAME["messages"]
    splice = Splice(body, peek(body))
    fit_splice(splice, find_endpoint(make("vertex"), "messages"), entry, entry.path, {b"anthropic-version": header})
    assert splice.value("anthropic_version") == version


@pytest.mark.parametrize("model", ["", None, "a/b", "..", ".", "a:b", "a?b", "a#b", "a%2fb", "a b", "a\x00", "a\\b"])
def test_a_name_that_would_change_the_path_is_refused(model):
    """A model whose name cannot stand in a path is refused before anything is sent."""
    entry = BY_NAME["messages"]
    with pytest.raises(BadRequest):
        build_path(find_endpoint(make("vertex"), "messages"), entry, entry.path, model, stream=False)


@pytest.mark.parametrize("model", ["", "a?b", "a#b", "a%2fb", "a b", "a\x00", "a\\b", "..", "a/..", "/a", "a/", "a//b"])
def test_a_name_at_invoke_model_is_one_segment(model):
    """A version's colon stays and an ARN's slash is escaped, so that a name is one segment; others are refused."""
    endpoint, entry = find_endpoint(make("bedrock-invoke"), "messages"), BY_NAME["messages"]
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.claude-x-v1:0"
    path = build_path(endpoint, entry, entry.path, arn, stream=True)
    assert path == f"/{arn.replace('/', '%2F')}/invoke-with-response-stream"
    with pytest.raises(BadRequest):
        build_path(endpoint, entry, entry.path, model, stream=False)


def test_the_body_for_invoke_model():
    """The model and the stream leave it, the version and the betas of the header stand in it unless the caller has set
    them there; all else stays."""
    endpoint, entry = find_endpoint(make("bedrock-invoke"), "messages"), BY_NAME["messages"]
    fields = {b"anthropic-beta": b"a-1, b-2,,", b"anthropic-version": b"2023-06-01"}
    body = b'{"model":"m", "stream":true,"messages":[ ]}'
    splice = Splice(body, peek(body))
    notes = fit_splice(splice, endpoint, entry, entry.path, fields)
    made = b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2"], "messages":[ ]}'
    assert b"".join(splice.parts()).replace(b"{,", b"{") == made.replace(b"], ", b"],")
    assert notes[-1] == "field anthropic_beta set from the header anthropic-beta"
    own = b'{"anthropic_version":"x","anthropic_beta":[],"messages":[]}'
    splice = Splice(own, peek(own))
    assert fit_splice(splice, endpoint, entry, entry.path, fields) == []
    assert b"".join(splice.parts()) == own
    assert fit_object({"model": "m", "stream": True, "max_tokens": 1}, endpoint, entry, entry.path) == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1,
    }


def test_a_url_of_invoke_model():
    """The URL without a path is that of the runtime's newer endpoints; `/model` is this one's."""
    assert vendor_of(api_root(f"{RUNTIME}/model")) == "bedrock-invoke"
    assert vendor_of(api_root(RUNTIME)) == "bedrock"


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("/v1/messages", "/messages"),
        ("/v1beta/models/m:x", "/models/m:x"),
        ("/v1beta2/x", "/x"),
        ("/v12/x", "/x"),
        ("/v1", "/v1"),
        ("/vx/y", "/vx/y"),
    ],
)
def test_a_version_is_part_of_the_root(path, below):
    """What follows a root is a path without its version."""
    assert below_version(path) == below


def test_paged_lists_are_anthropics():
    """Claude's own services list models in Anthropic's form."""
    assert KNOWN["claude-aws"].api is ANTHROPIC
    assert KNOWN["claude-gcp"].api is ANTHROPIC
