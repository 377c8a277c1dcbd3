"""Where releases of fairlead are published."""

#: owner/name of the repository whose releases are installed. The release workflow runs nowhere else.
REPOSITORY = "fairlead/fairlead"

#: The newest release's files are below this address; a version's own are below RELEASES_URL/download/vVERSION.
RELEASES_URL = f"https://github.com/{REPOSITORY}/releases"
