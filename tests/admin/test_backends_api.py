"""Refusals of the operator's API and their messages; its effects are tested in tests/e2e/test_operator.py."""

import json

import msgspec
import pytest

from router.admin.backends_api import (
    ON_THE_MACHINE,
    add_account,
    add_backend,
    change_backend,
    remove_account,
    remove_backend,
)
from router.admin.home_call import HomeCall, carry_out
from router.backends import Account, Backend
from router.errors import RouterError
from router.store.config import backends
from router.store.keys.own_keys import read_own_keys

BOX = Backend(name="box", root="https://box.example/v1", protocols=("chat",), accounts=(Account("default", "sk-1"),))
OWN = Backend(name="own", root="https://own.example/v1", protocols=("chat",), auth="client")
HEADERS = {"box": ("X-Team-Token",), "headed": ("X-Gate-Key",)}
NEW = {"name": "new", "base_url": "https://new.example", "protocols": ["chat"], "key": "sk-new"}
ACCOUNT = {"backend": "box", "alias": "work", "key": "sk-work"}


@pytest.fixture
def call(home):
    """Makes calls on a home with two backends."""
    backends.save(home, BOX)
    backends.save(home, OWN)

    def made(work, fields=None, **names):
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        keys = read_own_keys(home, None)
        return carry_out(work, HomeCall(home, {}, keys, HEADERS, {}, {}, names, body, {"box": ["X-Rule"]}))

    return made


def refused(home, call, work, fields, **names):
    """The error of a call, after checking that the call changed nothing."""
    before = backends.load(home)
    with pytest.raises(RouterError) as caught:
        call(work, fields, **names)
    assert backends.load(home) == before
    assert len(caught.value.message) < 1000
    assert caught.value.message.isprintable()
    assert "secret" not in caught.value.message
    return caught.value.status, caught.value.message


def without(name):
    return {key: value for key, value in NEW.items() if key != name}


CLOUD = {"name": "vertex", "key": "sk-new", "variables": {"project": "p-1", "location": "global"}}


def test_a_cloud_is_added_by_its_variables(home, call):
    """A provider with variables in its URLs needs them and no URL, and the header of the key can be chosen."""
    call(add_backend, {**CLOUD, "auth_header": "x-goog-api-key"})
    added = backends.find(home, "vertex")
    place = "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global"
    assert (added.root, added.roots["messages"]) == (f"{place}/endpoints/openapi", f"{place}/publishers/anthropic")
    assert (added.variables, added.auth_header) == (CLOUD["variables"], "x-goog-api-key")
    call(change_backend, {"auth_header": "bearer"}, name="vertex")
    assert backends.find(home, "vertex") == msgspec.structs.replace(added, auth_header="bearer")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({**CLOUD, "variables": {}}, "variables: project is missing"),
        ({**CLOUD, "variables": {"project": "p/q", "location": "global"}}, "variables: project does not have its form"),
        ({**CLOUD, "variables": {**CLOUD["variables"], "region": "r"}}, "expected project, location"),
        ({**NEW, "variables": {"region": "us-east-1"}}, "new has none"),
        ({**NEW, "variables": {"region": 1}}, "expected str, got int"),
        ({**NEW, "auth_header": "basic"}, "expected one of bearer, x-api-key, api-key, x-goog-api-key"),
        ({**NEW, "base_url": "https://models.github.ai/inference"}, "retired on 2026-07-30"),
        ({**NEW, "base_url": "http://res.openai.azure.com"}, "https:// alone"),
    ],
)
def test_clouds_that_cannot_be_added(home, call, fields, text):
    """What is missing or malformed is named, and nothing is saved."""
    status, message = refused(home, call, add_backend, fields)
    assert status == 400
    assert text in message


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({**NEW, "name": "BOX"}, 409, "There is a backend box already. Change it with POST /admin/backends/box."),
        ({**NEW, "name": "demo"}, 400, "built-in demo backend"),
        ({**NEW, "name": "a/b"}, 400, "expected 1 to 64 of a-z"),
        ({**NEW, "name": ""}, 400, "expected 1 to 64 of a-z"),
        ({**NEW, "name": "\u001b[31m\u202e"}, 400, "expected 1 to 64 of a-z"),
        ({**NEW, "name": "x" * 60_000}, 400, "expected 1 to 64 of a-z"),
        ({**NEW, "name": 7}, 400, "name: expected str, got int; expected an object with name, base_url?"),
        (without("name"), 400, "missing required field name; expected an object with name, base_url?"),
        ({**NEW, "base_url": "box.example"}, 400, "base_url cannot be used: it does not begin with https://"),
        ({**NEW, "base_url": "https://u:secret@x.example"}, 400, "a key is given apart from the URL"),
        ({**NEW, "base_url": "https://x.example?key=secret"}, 400, "query or fragment"),
        ({**NEW, "base_url": "http://8.8.8.8"}, 403, "8.8.8.8 is a public address"),
        ({**NEW, "base_url": "http://x.example"}, 403, "allowed on the machine only"),
        ({**NEW, "base_url": "https://169.254.169.254"}, 403, "allowed on the machine only"),
        ({**NEW, "base_url": "https://x.example", "auth": "client", "key": None}, 403, "each tool's own login"),
        ({"name": "anthropic", "base_url": "https://x.example", "auth": "client"}, 403, "each tool's own login"),
        ({**NEW, "name": "headed"}, 403, "the headers that config.toml sets for headed (X-Gate-Key) would go there"),
        ({**NEW, "base_url": ["x"]}, 400, "base_url: expected str | null, got array"),
        (without("base_url"), 400, "base_url is needed. Known: openai, anthropic"),
        (without("protocols"), 400, "protocols is missing; expected a list of some of messages, chat, responses"),
        ({**NEW, "protocols": []}, 400, "expected some of messages,chat,responses"),
        ({**NEW, "protocols": ["smoke\u0007"]}, 400, "expected some of messages,chat,responses"),
        ({**NEW, "protocols": "chat"}, 400, "protocols: expected array | null, got str"),
        ({**NEW, "protocols": [1]}, 400, "protocols[0]: expected str, got int"),
        ({**NEW, "auth": "secret"}, 400, "expected key, client or none"),
        ({**NEW, "auth": "client"}, 400, 'key and "auth": "client" cannot be used together'),
        ({**NEW, "auth": "none"}, 400, 'key and "auth": "none" cannot be used together'),
        (without("key"), 400, "key is missing"),
        ({**NEW, "key": "Bearer sk-1"}, 400, "key begins with Bearer"),
        ({**NEW, "key": "fairlead"}, 400, "key is fairlead's own placeholder for a key"),
        ({**without("key"), "auth": "key"}, 400, "key is missing"),
        ({"name": "groq"}, 400, "key is missing"),
        ({"name": "ollama", "auth": "key"}, 400, "key is missing"),
        ({**NEW, "key": ""}, 400, "key is empty"),
        ({**NEW, "key": 5}, 400, "key: expected str | null, got int"),
        ({**NEW, "key": "two\nlines-secret"}, 400, "key has more than one line"),
        ({**NEW, "key": "secret\u0007"}, 400, "a control character"),
        ({**NEW, "key": "secr\u00e9t"}, 400, "not ASCII"),
        ({**NEW, "key": "x" * 20_000}, 400, "longer than 16384"),
        *(
            ({**NEW, "key": reference}, 403, "References change on the machine only")
            for reference in ("env:HOME", "file:/etc/secret", 'cmd:["id"]', "keyring:a/b", " ENV:x", "op://v/secret")
        ),
        *(({**NEW, name: "secret"}, 403, f"{name} changes on the machine only") for name in ON_THE_MACHINE),
        ({**NEW, "vendor": "openai"}, 400, "unknown field vendor"),
        ({**NEW, "accounts": []}, 400, "unknown field accounts"),
        ({**NEW, "a\u001b\u202e": 1}, 400, "unknown field"),
        ([NEW], 400, "expected object, got array"),
        (None, 400, "expected object, got null"),
        (b"", 400, "The body is not JSON; expected an object with name, base_url?, protocols?, auth?, key?"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"{" * 50_000, 400, "not JSON"),
    ],
)
def test_backends_that_cannot_be_added(home, call, fields, status, text):
    """A wrong body is refused with the field and the expected value; no message holds a key or a control character."""
    found, message = refused(home, call, add_backend, fields)
    assert (found, text in message) == (status, True), message


@pytest.mark.parametrize(
    ("name", "fields", "status", "text"),
    [
        ("nobody", {"enabled": False}, 404, "There is no backend nobody. Configured: box, own."),
        ("a*b", {"enabled": False}, 400, "expected 1 to 64 of a-z"),
        ("demo", {"enabled": False}, 400, "built-in demo backend"),
        ("box", {}, 400, "Nothing to change was named; expected enabled?, base_url?, protocols?, key?"),
        ("box", {"enabled": "no"}, 400, "enabled: expected bool | null, got str"),
        ("box", {"enabled": 0}, 400, "enabled: expected bool | null, got int"),
        ("box", {"base_url": "http://x.example"}, 403, "allowed on the machine only"),
        ("box", {"base_url": ""}, 400, "base_url cannot be used"),
        ("box", {"protocols": []}, 400, "expected some of"),
        ("box", {"key": "file:/etc/secret"}, 403, "References change on the machine only"),
        ("box", {"insecure_http": True}, 403, "insecure_http changes on the machine only"),
        ("headed", {"base_url": "https://x.example"}, 404, "There is no backend headed"),
        ("box", {"base_url": "https://x.example"}, 403, "(X-Team-Token, X-Rule) would go there"),
        ("box", {"base_url": "https://x.example", "key": "sk-2"}, 403, "fairlead backend set box --base-url URL"),
        ("own", {"base_url": "https://metadata.google.internal"}, 403, "link-local"),
        ("box", {"name": "other"}, 400, "unknown field name"),
        ("box", {"auth": "none"}, 400, "unknown field auth"),
    ],
)
def test_changes_that_cannot_be_made(home, call, name, fields, status, text):
    """A change of an unknown backend, and of fields that cannot be set, is refused."""
    found, message = refused(home, call, change_backend, fields, name=name)
    assert (found, text in message) == (status, True), message


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({**ACCOUNT, "backend": "nobody"}, 404, "There is no backend nobody"),
        ({**ACCOUNT, "backend": "own"}, 409, "passes on each tool's own login"),
        ({**ACCOUNT, "alias": "Default"}, 409, "box already has an account named default"),
        ({**ACCOUNT, "alias": "client"}, 400, "none of client, none"),
        ({**ACCOUNT, "alias": "a b"}, 400, "expected 1 to 64"),
        ({**ACCOUNT, "alias": "\u0007"}, 400, "expected 1 to 64"),
        ({**ACCOUNT, "alias": None}, 400, "alias: expected str, got null"),
        ({**ACCOUNT, "key": "env:X"}, 403, "References change on the machine only"),
        ({**ACCOUNT, "key": " "}, 400, "key is empty"),
        ({**ACCOUNT, "serves": True}, 400, "unknown field serves"),
        (
            {"backend": "box", "alias": "x"},
            400,
            "missing required field key; expected an object with backend, alias, key",
        ),
    ],
)
def test_accounts_that_cannot_be_added(home, call, fields, status, text):
    """An account with a wrong name or key, or for a backend without accounts, is refused."""
    found, message = refused(home, call, add_account, fields)
    assert (found, text in message) == (status, True), message


def test_what_is_not_there_cannot_go(home, call):
    """Removing an unknown backend or account is a 404, an invalid backend name a 400."""
    assert refused(home, call, remove_account, None, backend="box", alias="work") == (404, "box has no account work.")
    assert refused(home, call, remove_account, None, backend="nobody", alias="work")[0] == 404
    assert refused(home, call, remove_account, None, backend="box", alias="\u001b" * 5000)[0] == 404
    assert refused(home, call, remove_account, None, backend="a b", alias="work")[0] == 400
    assert refused(home, call, remove_backend, None, name="nobody")[0] == 404


def test_plain_http_of_the_machine_moves_nowhere(home, call):
    """Unencrypted HTTP that was allowed on the machine for one URL is not allowed through the API for another."""
    backends.save(home, Backend(name="lan", root="http://one.example/v1", protocols=("chat",), insecure_http=True))
    assert refused(home, call, change_backend, {"base_url": "http://two.example"}, name="lan")[0] == 403
    call(change_backend, {"enabled": False}, name="lan")
    stored = backends.find(home, "lan")
    assert (stored.insecure_http, stored.enabled) == (True, False)


def test_a_login_stays_behind(home, call):
    """Another place gets neither each tool's own login nor what was allowed on the machine; the answer says so."""
    backends.save(home, msgspec.structs.replace(OWN, insecure_http=True))
    answer = call(change_backend, {"base_url": "https://other.example"}, name="own")
    stored = backends.find(home, "own")
    assert (answer.dropped, answer.backend.auth) == (["client"], "key")
    assert (stored.root, stored.auth, stored.accounts) == ("https://other.example/v1", "key", ())
    assert stored.insecure_http is False


SPELLED = [
    "https://169.254.169.254/latest/api/token",
    "http://169.254.169.254",
    "https://2852039166",
    "https://0xA9FEA9FE",
    "https://0xa9.0xfe.0xa9.0xfe",
    "https://0251.0376.0251.0376",
    "https://169.254.43518",
    "https://169.16689662",
    "https://169.254.169.254.",
    "https://169.254.169.254:443/v1",
    "https://[::ffff:169.254.169.254]",
    "https://[::ffff:a9fe:a9fe]",
    "https://[0:0:0:0:0:ffff:a9fe:a9fe]",
    "https://[64:ff9b::a9fe:a9fe]",
    "https://[64:ff9b::169.254.169.254]",
    "https://[2002:a9fe:a9fe::1]",
    "https://[::169.254.169.254]",
    "https://[fd00:ec2::254]",
    "https://[FD00:0EC2:0:0:0:0:0:0254]",
    "https://[fd20:ce::254]",
    "https://[fe80::1]",
    "https://[fe80::1%eth0]",
    "https://[fe80::1%25eth0]",
    "https://[febf::a]",
    "https://metadata.google.internal/computeMetadata/v1",
    "https://METADATA.google.internal.",
    "https://metadata",
    "https://metadata.goog",
    "https://instance-data.ec2.internal",
    "https://100.100.100.200",
    "https://168.63.129.16",
]


@pytest.mark.parametrize("url", SPELLED)
def test_no_metadata_service_is_reached_through_the_api(home, call, url):
    """However a link-local address or a metadata service is written: neither by a new backend nor by a change."""
    for work, fields, names in (
        (add_backend, {**NEW, "base_url": url}, {}),
        (change_backend, {"base_url": url}, {"name": "own"}),
        (change_backend, {"base_url": url, "key": "sk-2"}, {"name": "own"}),
    ):
        status, message = refused(home, call, work, fields, **names)
        assert status in (400, 403)
        assert "base_url" in message


def test_machine_only_settings_are_no_fields(call):
    """Fields that change on the machine only are refused by name in each body."""
    for work in (add_backend, change_backend, add_account):
        for name in ON_THE_MACHINE:
            with pytest.raises(RouterError) as caught:
                call(work, {name: "x"}, name="box")
            assert caught.value.status == 403


def test_locked_home_is_said(home, call, monkeypatch):
    """A fault of the home is a 500 with the message of the command line."""
    monkeypatch.setattr("router.store.home.home.LOCK_PATIENCE", 0.0)
    with home.lock():
        status, message = refused(home, call, change_backend, {"enabled": False}, name="box")
    assert status == 500
    assert "another fairlead command holds" in message
