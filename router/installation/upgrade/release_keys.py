"""The keys that releases are signed with: the current one and the next, so that either can be replaced.

A rotation is a release that is signed with the current key and holds the next one here (packaging/keys/README.md).
"""

#: Public keys of minisign, one line of base64 each. Without any, `fairlead upgrade` refuses every release.
PUBLIC_KEYS: tuple[str, ...] = ()
