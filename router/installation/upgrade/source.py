"""Where releases are: the addresses of their files, and which redirects are followed."""

from typing import NamedTuple
from urllib.parse import urlsplit

from router.installation.project import RELEASES_URL

#: GitHub answers with a redirect to one of its hosts below this name, whose first part changes.
_STORES = ".githubusercontent.com"


class Source(NamedTuple):
    """An address of releases."""

    base: str

    def locate(self, version: str, name: str) -> str:
        """The URL of a file of a version; of the newest for ''."""
        return f"{self.base}/download/v{version}/{name}" if version else f"{self.base}/latest/download/{name}"

    def trusts(self, url: str) -> bool:
        """True for what may be asked: this address's own scheme, host and port; for fairlead's own page also the hosts
        where GitHub keeps the files of releases."""
        ours, theirs = urlsplit(self.base), urlsplit(url)
        try:
            if theirs.username is not None or theirs.password is not None:
                return False
            if (theirs.scheme, theirs.hostname, theirs.port) == (ours.scheme, ours.hostname, ours.port):
                return True
            stored = (theirs.hostname or "").endswith(_STORES) and theirs.port in (None, 443)
        except ValueError:  # a port that is no number
            return False
        return self.base == RELEASES_URL and theirs.scheme == "https" and stored


def make_source(url: str | None) -> Source:
    """The source that the setting `upgrade.url` names, fairlead's own page for None."""
    return Source(url or RELEASES_URL)
