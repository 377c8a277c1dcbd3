"""The table of the operator's endpoints: one endpoint for each verb of a path, a handler each, and described fields."""

import msgspec
import pytest

from router.admin.handlers import HANDLERS
from router.admin.ui.page import HANDLERS as PAGE_HANDLERS
from router.operator_api.endpoints import ENDPOINTS


def test_each_endpoint_has_its_handler():
    """Every endpoint has a handler, and every handler an endpoint."""
    assert {*HANDLERS, *PAGE_HANDLERS} == set(ENDPOINTS.all)
    assert set(PAGE_HANDLERS) == {endpoint for endpoint in ENDPOINTS.all if endpoint.page}
    assert not HANDLERS.keys() & PAGE_HANDLERS.keys()
    assert len({(endpoint.verb, endpoint.path) for endpoint in ENDPOINTS.all}) == len(ENDPOINTS.all)


@pytest.mark.parametrize(
    ("path", "verbs", "names"),
    [
        ("/", "GET, HEAD", {}),
        ("/analytics/stream", "GET, HEAD", {}),
        ("/admin/accounts", "GET, POST, HEAD", {}),
        ("/admin/accounts/a/b", "DELETE", {"backend": "a", "alias": "b"}),
        ("/admin/accounts/a%2Fb/%62", "DELETE", {"backend": "a/b", "alias": "b"}),
        ("/admin/backends/box", "POST, DELETE", {"name": "box"}),
        ("/admin/history/-", "GET, HEAD", {"id": "-"}),
    ],
)
def test_paths_that_are_served(path, verbs, names):
    """Names are percent-decoded after the path is split; GET is served for HEAD too."""
    match = ENDPOINTS.match(path)
    assert (match.allow, match.names) == (verbs, names)
    assert match.endpoint("HEAD") is match.endpoint("GET")
    assert match.endpoint("PUT") is None


@pytest.mark.parametrize(
    "path",
    ["", "//", "/status/", "/admin", "/admin/backends/", "/admin/accounts//b", "/admin/backends/a/b", "/%61dmin/stop"],
)
def test_paths_that_are_not(path):
    """Empty names, further segments and other spellings match no endpoint."""
    assert ENDPOINTS.match(path) is None


@pytest.mark.parametrize("endpoint", ENDPOINTS.all, ids=lambda endpoint: f"{endpoint.verb} {endpoint.path}")
def test_endpoints_say_what_they_are(endpoint):
    """Only POST has a body; changes need the operator token; whatever is not GET changes something, except two
    that ask with a body."""
    assert endpoint.about.endswith(".")
    assert endpoint.body is None or (endpoint.verb == "POST" and issubclass(endpoint.body, msgspec.Struct))
    assert endpoint.access == "operator" or not endpoint.changes
    assert endpoint.changes or endpoint.verb == "GET" or endpoint.path in ("/admin/explain", "/admin/models")
