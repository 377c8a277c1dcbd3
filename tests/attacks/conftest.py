"""The proxies and the scripted upstream of the end-to-end tests."""

from tests.e2e.conftest import demo, fairlead, keyed, listening, up, upstream

__all__ = ["demo", "fairlead", "keyed", "listening", "up", "upstream"]
