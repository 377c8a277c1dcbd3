"""The files of the local page, read once from the package; their names hold a hash of all of them."""

import hashlib
from importlib import resources
from typing import NamedTuple

from router.net.headers import RawHeaders

_PAGE = "page.html"
_KINDS = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
#: What the page may do: load its own files, and ask its own origin. No text becomes markup or a script.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_COMMON: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
]
#: Of the page itself.
PAGE_HEADERS: RawHeaders = [
    *_COMMON,
    (b"content-security-policy", _POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), clipboard-read=(), payment=(), usb=()"),
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
]
#: Of its files.
FILE_HEADERS: RawHeaders = [
    *_COMMON,
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"private, max-age=31536000, immutable"),
]


class PageFile(NamedTuple):
    """One file."""

    content: bytes
    body: bytes


class PageFiles:
    """The files of the page."""

    def __init__(self, files: dict[str, bytes]):
        whole = hashlib.sha256(b"".join(name.encode() + b"\0" + files[name] + b"\0" for name in sorted(files)))
        #: The name of the folder that they are served in.
        self.hash = whole.hexdigest()[:16]
        #: The page, which names its files by the hash.
        self.page = files[_PAGE].replace(b"{hash}", self.hash.encode())
        self._files = {name: body for name, body in files.items() if name != _PAGE}

    def find(self, folder: str, name: str) -> PageFile | None:
        """A file by its folder and name; None when there is none."""
        body = self._files.get(name) if folder == self.hash else None
        return None if body is None else PageFile(f"{_KINDS[name.rpartition('.')[2]]}; charset=utf-8".encode(), body)


def read_page_files() -> PageFiles:
    """Read the files from the package. Raises OSError when they are gone."""
    folder = resources.files("router.admin.ui") / "static"
    return PageFiles({entry.name: entry.read_bytes() for entry in folder.iterdir() if "." in entry.name})
