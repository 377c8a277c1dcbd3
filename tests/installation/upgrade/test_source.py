"""Where releases are asked for, and which redirects are followed."""

import pytest

from router.installation.project import RELEASES_URL
from router.installation.upgrade.source import make_source
from router.installation.upgrade.system import System, find_system

MIRROR = "https://mirror.example:8443/f"


@pytest.mark.parametrize(
    ("base", "url", "trusted"),
    [
        (None, f"{RELEASES_URL}/latest/download/release.json", True),
        (None, "https://github.com/other/place", True),
        (None, "https://release-assets.githubusercontent.com/x?y=z", True),
        (None, "https://objects.githubusercontent.com:443/x", True),
        (None, "https://objects.githubusercontent.com:444/x", False),
        (None, "http://objects.githubusercontent.com/x", False),
        (None, "http://github.com/x", False),
        (None, "https://githubusercontent.com.evil.example/x", False),
        (None, "https://evilgithubusercontent.com/x", False),
        (None, "https://me:pw@github.com/x", False),
        (None, "https://github.com:port/x", False),
        (MIRROR, f"{MIRROR}/x", True),
        (MIRROR, "https://mirror.example:8443/elsewhere", True),
        (MIRROR, "https://mirror.example/x", False),
        (MIRROR, "http://mirror.example:8443/x", False),
        (MIRROR, "https://objects.githubusercontent.com/x", False),
        (MIRROR, "", False),
    ],
)
def test_trusted_places(base, url, trusted):
    """The host itself; for fairlead's own page also where GitHub keeps files."""
    assert make_source(base).trusts(url) is trusted


def test_addresses():
    """Of the newest release, and of a version's files."""
    source = make_source(MIRROR)
    assert source.locate("", "release.json") == f"{MIRROR}/latest/download/release.json"
    assert source.locate("0.3.0", "a.tar.xz") == f"{MIRROR}/download/v0.3.0/a.tar.xz"


def test_this_system():
    """Is one of those that releases are built for; musl is said."""
    assert find_system().os in ("linux", "macos", "windows")
    assert find_system().arch in ("x86_64", "arm64")
    assert str(System("linux", "x86_64", "glibc")) == "linux x86_64"
    assert str(System("linux", "arm64", "musl")) == "linux arm64 musl"
