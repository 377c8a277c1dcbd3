"""winget: the three manifests of a version, in the folders of the community's repository."""

from pathlib import Path
from typing import Any

import yaml

from .description import HOMEPAGE, LICENSE, SUMMARY, Description, write

IDENTIFIER = "fairlead.fairlead"
#: The form of the manifests. 1.9 brought ArchiveBinariesDependOnPath.
MANIFEST_VERSION = "1.10.0"
_ARCHES = (("x64", "x86_64"), ("arm64", "arm64"))


def generate(described: Description, out: Path) -> None:
    """Raises ChannelError where a program is missing."""
    folder = out / "manifests" / IDENTIFIER[0] / IDENTIFIER.replace(".", "/") / described.version
    _write(described, folder / f"{IDENTIFIER}.yaml", "version", {"DefaultLocale": "en-US"})
    _write(described, folder / f"{IDENTIFIER}.installer.yaml", "installer", _installer(described))
    locale = {
        "PackageLocale": "en-US",
        "Publisher": "The fairlead authors",
        "PublisherUrl": HOMEPAGE,
        "PackageName": "fairlead",
        "PackageUrl": HOMEPAGE,
        "License": LICENSE,
        "LicenseUrl": f"{HOMEPAGE}/blob/v{described.version}/LICENSE",
        "ShortDescription": f"{SUMMARY}.",
        "Moniker": "fairlead",
        "Tags": ["ai", "cli", "llm", "proxy", "router"],
        "ReleaseNotesUrl": f"{HOMEPAGE}/releases/tag/v{described.version}",
    }
    _write(described, folder / f"{IDENTIFIER}.locale.en-US.yaml", "defaultLocale", locale)


def _installer(described: Description) -> dict[str, Any]:
    installers: list[dict[str, str]] = []
    for name, arch in _ARCHES:
        file = described.need("windows", arch)
        installers.append(
            {
                "Architecture": name,
                "InstallerUrl": described.url(file.name),
                "InstallerSha256": file.sha256.upper(),
            }
        )
    return {
        "InstallerType": "zip",
        "NestedInstallerType": "portable",
        "NestedInstallerFiles": [{"RelativeFilePath": "fairlead\\fairlead.exe", "PortableCommandAlias": "fairlead"}],
        # The program looks for _internal beside itself: its folder goes on PATH, and no link is made of it elsewhere.
        "ArchiveBinariesDependOnPath": True,
        "UpgradeBehavior": "uninstallPrevious",
        "Commands": ["fairlead"],
        "ReleaseDate": described.release.date,
        "Installers": installers,
    }


def _write(described: Description, path: Path, kind: str, body: dict[str, Any]) -> None:
    manifest = {
        "PackageIdentifier": IDENTIFIER,
        "PackageVersion": described.version,
        **body,
        "ManifestType": kind,
        "ManifestVersion": MANIFEST_VERSION,
    }
    text: str = yaml.safe_dump(  # pyright: ignore[reportUnknownMemberType]
        manifest, sort_keys=False, allow_unicode=True, width=200
    )
    address = f"https://aka.ms/winget-manifest.{kind}.{MANIFEST_VERSION}.schema.json"
    write(path, f"# yaml-language-server: $schema={address}\n\n{text}")
