"""The AWS region of a Bedrock host: a short-term key is for one region, and is made for no other host."""

import re
from urllib.parse import urlsplit

_REGION = r"[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}-[0-9]{1,2}"
_FORM = re.compile(_REGION)
# `bedrock-runtime`, `bedrock-mantle`, and their endpoints inside a network of the user's own (vpce), in the partitions:
# the usual one and its newer name, China, the EU's sovereign cloud.
_HOST = re.compile(
    rf"(?:bedrock(?:-runtime|-mantle)?(?:-fips)?\.({_REGION})"
    rf"|vpce-[a-z0-9-]{{1,60}}\.bedrock(?:-runtime|-mantle)?(?:-fips)?\.({_REGION})\.vpce)"
    r"\.(?:amazonaws\.com|api\.aws|amazonaws\.com\.cn|amazonaws\.eu)"
)


def is_region(text: str) -> bool:
    """True for a text in the form of an AWS region."""
    return _FORM.fullmatch(text) is not None


def find_region(root: str) -> str:
    """The region of the Bedrock host in a URL, '' for another host and for plain http."""
    try:
        url = urlsplit(root)
        host = (url.hostname or "").rstrip(".")
    except ValueError:
        return ""
    found = _HOST.fullmatch(host[:253]) if url.scheme == "https" else None
    return "" if found is None else found[1] or found[2]
