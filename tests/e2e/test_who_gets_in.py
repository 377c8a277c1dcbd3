"""Who gets in where: every endpoint and verb with every credential, on a proxy that asks for a key and one that does
not. The lists come from the tables that serve, so that a new endpoint cannot be forgotten here."""

import itertools
import re

import pytest

from router.operator_api.endpoints import ENDPOINTS
from router.wire import calls

from .conftest import CLIENT_KEY
from .upstream import plain
from .wire import Client, request

VERBS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH")
SERVED = {
    path: ENDPOINTS.match(re.sub(r"\{\w+\}", "x", path)).verbs for path in sorted({one.path for one in ENDPOINTS.all})
}
OPEN = {"/", "/api/hello", "/livez", "/readyz", "/health", "/ui", "/ui/", "/ui/files/{hash}/{name}"}
#: For a token or a code of the local page, which none of the credentials below is.
OF_PAGE = {"/ui/session", "/ui/api/live", "/ui/api/requests", "/ui/api/requests/{id}", "/ui/api/usage"}
#: The API: all that the wire knows, the model lists, paths that are passed on, one that is closed by default.
API = (
    *calls._build_paths().exact,
    *(
        "/v1/models",
        "/v1/models/demo",
        "/v1/files",
        "/v1/responses/resp_1",
        "/v1/organization",
        "/models",
        "/v1/v1/files",
    ),
)
CREDENTIALS = {
    "none": lambda proxy: (),
    "wrong": lambda proxy: ((b"Authorization", b"Bearer fl-" + b"0" * 40),),
    "client": lambda proxy: ((b"Authorization", b"Bearer " + CLIENT_KEY.encode()),),
    "client as x-api-key": lambda proxy: ((b"x-api-key", CLIENT_KEY.encode()),),
    "client as x-fairlead-key": lambda proxy: ((b"x-fairlead-key", CLIENT_KEY.encode()),),
    "operator": lambda proxy: (proxy.operator(),),
    "operator as x-api-key": lambda proxy: ((b"x-api-key", token(proxy)),),
    "operator as x-fairlead-key": lambda proxy: ((b"x-fairlead-key", token(proxy)),),
    "operator cut": lambda proxy: ((b"Authorization", b"Bearer " + token(proxy)[:-1]),),
    "operator without Bearer": lambda proxy: ((b"Authorization", token(proxy)),),
}
OPERATORS = {"operator", "operator without Bearer"}
CLIENTS = {"client", "client as x-api-key", "client as x-fairlead-key"}
# Refused before anything is done, and only to those who got in: no call of this file changes or stops anything.
TEXT = (b"Content-Type", b"text/plain")


def token(proxy):
    return proxy.operator()[1].removeprefix(b"Bearer ")


def status_of(proxy, path, verb, credential):
    body = b"no JSON" if verb in ("POST", "PUT", "PATCH") else None
    path = re.sub(r"\{\w+\}", "nobody", path)
    with Client(proxy.port) as client:
        client.send(request(path, body, *CREDENTIALS[credential](proxy), method=verb, kind=TEXT))
        # The head alone: a live stream has no end.
        return client.answer(bodiless=True).status


@pytest.fixture(params=["keyed", "demo"])
def proxy(request):
    """One that asks for a client key, and one that does not."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("path", SERVED)
def test_own_endpoints(proxy, path):
    """Those for anyone answer anyone; those of the local page none of these; all others the operator token alone, as a
    bearer. Another verb is 405."""
    served = {*SERVED[path], *(["HEAD"] if "GET" in SERVED[path] else [])}
    for verb, credential in itertools.product(VERBS, CREDENTIALS):
        status = status_of(proxy, path, verb, credential)
        where = f"{verb} {path} with {credential}: {status}"
        if verb not in served:
            assert status == 405, where
        elif path in OPEN or (credential in OPERATORS and path not in OF_PAGE):
            assert status in ((415,) if verb == "POST" else (200, 404, 503)), where
        else:
            assert status == 401, where


def test_only_what_is_named_is_open():
    """An endpoint that anyone may call is a decision, made here too."""
    found = {
        access: {path for path, verbs in SERVED.items() if access in {endpoint.access for endpoint in verbs.values()}}
        for access in ("anyone", "viewer", "code")
    }
    assert found["anyone"] == OPEN
    assert found["viewer"] | found["code"] == OF_PAGE
    assert {verb for path in OPEN | OF_PAGE for verb in SERVED[path]} == {"GET"}


@pytest.mark.parametrize("path", API)
def test_api(proxy, path, request, upstream):
    """With a client key asked for, its holders alone get in, on every verb; the operator token is no client key."""
    upstream.default = (plain(b"{}"),)
    asks = "keyed" in request.node.callspec.params.values()
    for verb, credential in itertools.product(VERBS, CREDENTIALS):
        status = status_of(proxy, path, verb, credential)
        where = f"{verb} {path} with {credential}: {status}"
        assert (status == 401) is (asks and credential not in CLIENTS), where
        assert status != 500, where


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/",
        "/admin/backends/",
        "/admin/backends/a/b",
        "/admin/accounts/a",
        "/admin/accounts//x",
        "/admin/config",
        "/accounts/x",
        "/status/",
        "/ADMIN/backends",
    ],
)
def test_neighbours_of_endpoints(proxy, path):
    """Nothing is served beside the table, whoever asks."""
    for verb, credential in itertools.product(VERBS, ("none", "operator")):
        assert status_of(proxy, path, verb, credential) == 404
