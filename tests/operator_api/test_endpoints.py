"""The table of the operator's endpoints: each path has one endpoint a verb, a handler, and words for every field."""

import msgspec
import pytest

from router.admin.handlers import HANDLERS
from router.operator_api.endpoints import ENDPOINTS


def test_each_endpoint_has_its_handler():
    """And there is no handler without a endpoint."""
    assert set(HANDLERS) == set(ENDPOINTS.all)
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
    """Names are percent-decoded after the path was split; GET is served for HEAD too."""
    match = ENDPOINTS.match(path)
    assert (match.allow, match.names) == (verbs, names)
    assert match.endpoint("HEAD") is match.endpoint("GET")
    assert match.endpoint("PUT") is None


@pytest.mark.parametrize(
    "path",
    ["", "//", "/status/", "/admin", "/admin/backends/", "/admin/accounts//b", "/admin/backends/a/b", "/%61dmin/stop"],
)
def test_paths_that_are_not(path):
    """Empty names, further segments and other spellings serve nothing."""
    assert ENDPOINTS.match(path) is None


@pytest.mark.parametrize("endpoint", ENDPOINTS.all, ids=lambda endpoint: f"{endpoint.verb} {endpoint.path}")
def test_endpoints_say_what_they_are(endpoint):
    """Bodies are for POST, and only changes delete or are refused to readers."""
    assert endpoint.about.endswith(".")
    assert endpoint.body is None or (endpoint.verb == "POST" and issubclass(endpoint.body, msgspec.Struct))
    assert endpoint.operator or not endpoint.changes
    assert endpoint.changes or endpoint.verb == "GET" or endpoint.path == "/admin/explain"
