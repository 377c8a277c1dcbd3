"""Scoop: the manifest of a bucket, which can also update itself."""

import json
from pathlib import Path
from typing import Any

from .description import HOMEPAGE, LICENSE, SUMMARY, Description, write

_ARCHES = (("64bit", "x86_64"), ("arm64", "arm64"))


def generate(described: Description, out: Path) -> None:
    """Raises ChannelError where a program is missing."""
    present: dict[str, Any] = {}
    later: dict[str, Any] = {}
    for name, arch in _ARCHES:
        file = described.need("windows", arch)
        url = described.url(file.name)
        present[name] = {"url": url, "hash": file.sha256, "extract_dir": "fairlead"}
        later[name] = {"url": url.replace(described.version, "$version")}
    manifest = {
        "version": described.version,
        "description": f"{SUMMARY}.",
        "homepage": HOMEPAGE,
        "license": LICENSE,
        "architecture": present,
        "bin": "fairlead.exe",
        "checkver": {"github": HOMEPAGE},
        # Only what is listed there can be taken: without its line the update fails.
        "autoupdate": {"architecture": later, "hash": {"url": "$baseurl/SHA256SUMS"}},
    }
    write(out / "fairlead.json", json.dumps(manifest, indent=4) + "\n")
