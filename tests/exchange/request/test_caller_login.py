"""Which logins of callers go to a backend with auth=client: those of its vendor, in a protocol of its own."""

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.backends.key_forms import FORMS, find_foreign_form
from router.backends.known import KNOWN

from ...answers import PATHS
from ..attempts import PROTOCOLS
from ..playbook import playing
from ..upstreams import says
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, good, in_order, message, refuses, response


def jwt(**payload):
    parts = ({"alg": "RS256"}, payload)
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


CHATGPT = jwt(iss="https://auth.openai.com", aud=["https://api.openai.com/v1"])
COMPANY = jwt(iss="https://login.company.example")
CLAUDE_LOGIN = "sk-ant-oat01-0123456789"
ANTHROPIC = box("anthropic", auth="client", protocols=("messages",), vendor="anthropic")
OPENAI = box("openai", auth="client", protocols=("chat", "responses"), vendor="openai")
GATEWAY = box("gateway", auth="client", protocols=("messages", "chat", "responses"))
BODIES = {"messages": message, "chat": chat, "responses": response}


def bearer(credential):
    return [("authorization", f"Bearer {credential}")]


@pytest.fixture
def both(made):
    """The two vendors, each with the login of the caller's own tool."""
    return made(ANTHROPIC, OPENAI, settings=in_order())


def refused(played, *words):
    """The answer of a request that was refused before anything was sent."""
    assert (played.sent, played.status) == ([], 401)
    error = played.json()["error"]
    assert all(word in error["message"] for word in words), error["message"]
    return error


@pytest.mark.parametrize(
    ("path", "body", "login"),
    [
        (MESSAGES, message("openai:gpt-5"), bearer(CLAUDE_LOGIN)),
        ("/v1/messages/count_tokens", message("openai:gpt-5"), bearer(CLAUDE_LOGIN)),
        (CHAT, chat("anthropic:claude-opus-5"), bearer("sk-proj-0123")),
        (RESPONSES, response("anthropic:claude-opus-5"), bearer(CHATGPT)),
        ("/v1/responses/input_tokens", {"model": "anthropic:claude-opus-5", "input": "hi"}, bearer(CHATGPT)),
        (CHAT, chat("anthropic:claude-opus-5"), [("x-api-key", CLAUDE_LOGIN)]),
        (CHAT, chat("anthropic:claude-opus-5"), []),
        (CHAT, chat("anthropic:claude-opus-5", stream=True), bearer(CHATGPT)),
    ],
)
def test_a_login_never_goes_along_a_translation(both, path, body, login):
    """The model's name does not decide which vendor gets the tool's login: 401, in the caller's protocol."""
    name = body["model"].partition(":")[0]
    error = refused(playing(both, path, body, fields=login), f"The backend {name} passes on each tool's own login")
    assert error["type"] == "authentication_error" or error["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("path", "body", "login", "words"),
    [
        (MESSAGES, message("anthropic:m"), bearer(CHATGPT), ("begins with eyJ", "OpenAI")),
        (MESSAGES, message("anthropic:m"), bearer(COMPANY), ("begins with eyJ",)),
        (MESSAGES, message("anthropic:m"), [("x-api-key", "sk-proj-1")], ("in x-api-key begins with sk-proj-",)),
        (MESSAGES, message("anthropic:m"), bearer("sk-0123456789abcdef"), ("begins with sk-,",)),
        (MESSAGES, message("anthropic:m"), bearer("sess-0123"), ("begins with sess-",)),
        (MESSAGES, message("anthropic:m"), bearer("gsk_0123"), ("Groq",)),
        (CHAT, chat("openai:m"), bearer(CLAUDE_LOGIN), ("begins with sk-ant-", "Anthropic", "which is OpenAI")),
        (CHAT, chat("openai:m"), bearer("AIzaSy0123"), ("Google Gemini",)),
        (CHAT, chat("openai:m"), bearer("sk-or-v1-0123"), ("OpenRouter",)),
        (CHAT, chat("openai:m"), bearer("ghp_0123"), ("GitHub",)),
        (CHAT, chat("gateway:m"), bearer(CLAUDE_LOGIN), ("Anthropic",)),
        (MESSAGES, message("gateway:m"), bearer(CHATGPT), ("OpenAI",)),
        ("/v1/embeddings", {"model": "openai:e", "input": "hi"}, bearer(CLAUDE_LOGIN), ("Anthropic",)),
        (MESSAGES, message("anthropic:m"), [], ("carries no login at Anthropic", "fairlead backend set anthropic")),
    ],
)
def test_a_credential_of_another_issuer_is_not_sent(made, path, body, login, words):
    """What shows by its form whose it is goes to nobody else; the refusal says whose it is and what to do."""
    refused(playing(made(ANTHROPIC, OPENAI, GATEWAY, settings=in_order()), path, body, fields=login), *words)


@pytest.mark.parametrize(
    ("path", "body", "login"),
    [
        (MESSAGES, message("anthropic:m"), bearer(CLAUDE_LOGIN)),
        (MESSAGES, message("anthropic:m"), [("x-api-key", "sk-ant-api03-0123")]),
        (MESSAGES, message("anthropic:m"), bearer("opaque-0123")),
        (RESPONSES, response("openai:m"), bearer(CHATGPT)),
        (CHAT, chat("openai:m"), bearer("sk-proj-0123")),
        (CHAT, chat("openai:m"), bearer("sk-0123456789abcdef")),
        (CHAT, chat("gateway:m"), bearer(COMPANY)),
        (MESSAGES, message("gateway:m"), [("x-api-key", "sk-0123456789abcdef")]),
        (MESSAGES, message("gateway:m"), bearer("ghp_0123")),
    ],
)
def test_a_login_of_its_vendor_passes_unchanged(made, path, body, login):
    """In the vendor's own protocol, and in a form that may be the vendor's."""
    runtime = made(ANTHROPIC, OPENAI, GATEWAY, settings=in_order())
    protocol = {MESSAGES: "messages", CHAT: "chat", RESPONSES: "responses"}[path]
    played = playing(runtime, path, body, good(protocol), fields=login)
    name, value = login[0]
    assert played.status == 200
    assert played.sent[0].fields[name.encode()] == value.encode()


def test_a_backend_gets_the_header_that_is_for_it_alone(both):
    """Of two credentials only the one that may be the vendor's is sent."""
    fields = [("authorization", "Bearer sk-proj-0123"), ("x-api-key", "sk-ant-api03-0123")]
    sent = playing(both, MESSAGES, message("anthropic:m"), good("messages"), fields=fields).sent[0]
    assert sent.fields[b"x-api-key"] == b"sk-ant-api03-0123"
    assert b"authorization" not in sent.fields


def test_a_header_with_two_credentials_is_not_sent(both):
    """A name that stands twice is judged by both its values."""
    fields = [*bearer("sk-ant-api03-0123"), *bearer("sk-proj-0123")]
    refused(playing(both, MESSAGES, message("anthropic:m"), fields=fields), "sk-proj-")


def test_a_protocol_that_is_not_the_vendors_own_gets_no_login(made):
    """A backend may be said to speak more; the login is for what its vendor documents."""
    backend = box("anthropic", auth="client", protocols=("messages", "chat"), vendor="anthropic")
    refused(
        playing(made(backend), CHAT, chat("anthropic:m"), fields=bearer("opaque-0123")),
        "only as it is, in Anthropic Messages",
    )


def test_counts_in_the_callers_protocol_carry_no_login(made):
    """vLLM counts in Messages, whatever else it is asked in: that is no call of its own protocol either."""
    backend = box("vllm", auth="client", protocols=("chat",), vendor="vllm")
    refused(playing(made(backend), "/v1/messages/count_tokens", message("vllm:m"), fields=bearer("opaque")), "Messages")


def test_a_server_that_may_need_no_login_is_asked_without_one(made):
    """A caller without a credential reaches it, translated too."""
    played = playing(made(box("own", auth="client")), MESSAGES, message("own:m"), good())
    assert (played.status, b"authorization" in played.sent[0].fields) == (200, False)


def test_the_chain_passes_over_backends_that_would_need_another_login(made):
    """A hop that cannot get the caller's login is no hop, and hides no later one."""
    key = box("key", "a0", protocols=("chat",))
    own = box("own", auth="client", protocols=("chat",))
    chain = ("anthropic:claude-x", "own:m", "openai:m")
    runtime = made(key, ANTHROPIC, own, OPENAI, settings=in_order(fallback={"m": chain}))
    fields = bearer("opaque-0123")
    played = playing(runtime, CHAT, chat("key:m"), refuses(500), good(), fields=fields)
    assert [sent.fields.get(b"authorization", b"")[:13] for sent in played.sent] == [b"Bearer sk-of-", b"Bearer opaque"]
    assert played.sent[1].fields[b"host"] == b"own.example"


def test_the_owner_of_an_id_gets_no_foreign_login(made):
    """A request that names an id goes to who issued it, with the login of that vendor or none."""
    runtime = made(ANTHROPIC, OPENAI, settings=in_order())
    runtime.resource_owners.remember("file-0123456789", "openai", "client", "files")
    played = playing(runtime, "/v1/files/file-0123456789", method="GET", fields=bearer(CLAUDE_LOGIN))
    refused(played, "begins with sk-ant-")
    played = playing(runtime, "/v1/files/file-0123456789", b"", says(200, {}), method="GET", fields=bearer(CHATGPT))
    assert played.sent[0].fields[b"authorization"] == f"Bearer {CHATGPT}".encode()


@pytest.mark.parametrize("settings_", [{"model": "openai:m"}, {"aliases": {"claude-opus-5": "openai:m"}}])
def test_forced_models_and_aliases_move_no_login(made, settings_):
    """However the request comes to another vendor, its login does not."""
    runtime = made(ANTHROPIC, OPENAI, settings=in_order(**settings_))
    refused(playing(runtime, MESSAGES, message("claude-opus-5"), fields=bearer(CLAUDE_LOGIN)), "openai")


def test_the_refusal_names_who_else_serves_the_model(made):
    """Another backend that lists it, with a key of its own."""
    listing = box("router", "a0", protocols=("chat",))
    runtime = made(ANTHROPIC, listing, settings=in_order())
    runtime.catalogs["router"].models, runtime.catalogs["router"].loaded = ("claude-opus-5",), True
    runtime._take_up_catalogs()
    played = playing(runtime, CHAT, chat("anthropic:claude-opus-5"), fields=bearer("sk-proj-1"))
    refused(played, "ask for router:claude-opus-5")


CREDENTIALS = st.builds(
    lambda begins, rest: begins + rest,
    st.sampled_from([form.begins for form in FORMS]) | st.just(""),
    st.from_regex(r"[A-Za-z0-9_-]{0,20}", fullmatch=True),
) | st.sampled_from([CHATGPT, COMPANY])
VENDORS = st.sampled_from([entry for entry in KNOWN.values() if entry.needs_key])
WRAPPED = st.sampled_from(["{}", "Bearer {}", "bearer  {}", "Token {}", 'Bearer "{}"', "Bearer Bearer {}", "x, {}"])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VENDORS, st.sampled_from(PROTOCOLS), CREDENTIALS, WRAPPED, st.sampled_from(["authorization", "x-api-key"]))
def test_no_vendor_gets_what_is_not_its_own(made, vendor, caller, credential, wrapped, header):
    """Whatever is sent in whatever protocol: a provider sees a credential in its own protocols alone, and none whose
    form is that of another."""
    backend = box("it", auth="client", protocols=vendor.protocols, vendor=vendor.name)
    value = wrapped.format(credential)
    fields = [(header, value.strip())]
    played = playing(made(backend), PATHS[caller], BODIES[caller]("it:m"), good(caller), fields=fields)
    for sent in played.sent:
        assert caller in vendor.protocols
        assert sent.fields.get(header.encode(), b"") == value.strip().encode()
        # Two services of one issuer take the same keys.
        others = [entry for entry in KNOWN.values() if not {*entry.key_prefixes} & {*vendor.key_prefixes}]
        assert not any(credential.startswith(entry.key_prefixes) for entry in others if entry.key_prefixes)
    assert played.sent or played.status == 401


@given(st.sampled_from([form for form in FORMS if len(form.takers) == 1]), st.sampled_from(WRAPPED.elements))
def test_a_form_of_one_issuer_goes_to_no_other(form, wrapped):
    """In any spelling of the header, coded for Basic too."""
    plain = wrapped.format(f"{form.begins}0123456789")
    coded = "Basic " + base64.b64encode(f"user:{form.begins}0123456789".encode()).decode()
    for value in (plain, coded):
        takers = {entry.name for entry in KNOWN.values() if find_foreign_form(entry, value) is None}
        assert takers == form.takers
        assert find_foreign_form(None, value) is form
