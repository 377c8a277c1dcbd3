"""Paths that servers read in different ways, which are refused: what is decided here by one reading of a path, an
upstream could carry out by another. All other spellings have one normal form (wire/paths/spelling.py).

Sources: RFC 3986, 2.1 and 3.3; RFC 9112, 3.2.
"""

import re

from router.errors import BadRequest

#: Bytes of a path.
PATH_LIMIT = 4096

# Most paths have nothing that need be looked at.
_SUSPECT = re.compile(rb"[%;\\#]|/\.")
_DOTS = re.compile(rb"(?:^|/)(?:\.|%2[eE]){1,2}(?:/|$)")
# Paths that end in one name, which clients escape as a whole, and which is read and written anew before it reaches an
# upstream: a model's may hold anything.
_ENDS_IN_NAME = re.compile(rb"/+(?:v1(?:alpha|beta)?/+)*(?:models|tunedModels)/")
_SLASH = re.compile(rb"%2[fF]")
_BACKSLASH = re.compile(rb"\\|%5[cC]")
_REFUSED = (
    (_DOTS, "dot segments"),
    (_BACKSLASH, "a backslash, which some servers read as a slash"),
    (_SLASH, "an escaped slash, which some servers read as a slash"),
    (re.compile(rb";|%3[bB]"), "a semicolon, behind which some servers read parameters"),
    (re.compile(rb"%[01][0-9A-Fa-f]|%7[fF]"), "an escaped control character"),
    (re.compile(rb"%25"), "an escaped percent sign, which some servers decode twice"),
    (re.compile(rb"%(?![0-9A-Fa-f]{2})"), "a percent sign that begins no escape"),
)


def check_path(target: bytes) -> None:
    """Refuse a target with a path that servers read in different ways. Raises BadRequest with the reason."""
    if len(target) <= PATH_LIMIT and _SUSPECT.search(target) is None:
        return
    path = target.partition(b"?")[0]
    if b"#" in target:
        raise BadRequest("The request target has a fragment, which is never sent (RFC 9112, 3.2.1).")
    if len(path) > PATH_LIMIT:
        raise BadRequest(f"The request path is over {PATH_LIMIT >> 10} KiB.")
    if _SUSPECT.search(path) is None:
        return
    if _ENDS_IN_NAME.match(path):
        # A name's own slashes are escaped: dots between them are no segments.
        if _BACKSLASH.search(path) or _DOTS.search(_SLASH.sub(b"-", path)):
            raise BadRequest("The request path has dot segments or a backslash.")
        return
    for pattern, what in _REFUSED:
        if pattern.search(path):
            raise BadRequest(f"The request path has {what}. Send it without.")
