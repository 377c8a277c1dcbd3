"""The table of the operator's endpoints: each path has one route a verb, a handler, and words for every field."""

import msgspec
import pytest

from router.admin.handlers import HANDLERS
from router.operator_api.routes import TABLE


def test_each_route_has_its_handler():
    """And there is no handler without a route."""
    assert set(HANDLERS) == set(TABLE.routes)
    assert len({(route.verb, route.path) for route in TABLE.routes}) == len(TABLE.routes)


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
    match = TABLE.match(path)
    assert (match.allow, match.names) == (verbs, names)
    assert match.route("HEAD") is match.route("GET")
    assert match.route("PUT") is None


@pytest.mark.parametrize(
    "path",
    ["", "//", "/status/", "/admin", "/admin/backends/", "/admin/accounts//b", "/admin/backends/a/b", "/%61dmin/stop"],
)
def test_paths_that_are_not(path):
    """Empty names, further segments and other spellings serve nothing."""
    assert TABLE.match(path) is None


@pytest.mark.parametrize("route", TABLE.routes, ids=lambda route: f"{route.verb} {route.path}")
def test_routes_say_what_they_are(route):
    """Bodies are for POST, and only changes delete or are refused to readers."""
    assert route.about.endswith(".")
    assert route.body is None or (route.verb == "POST" and issubclass(route.body, msgspec.Struct))
    assert route.operator or not route.changes
    assert route.changes or route.verb == "GET" or route.path == "/admin/explain"
