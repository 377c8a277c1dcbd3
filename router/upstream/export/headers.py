"""The headers for a collector, in the form that OpenTelemetry's own variable has: `name=value,name=value`."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from router.errors import CommandError

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def parse_headers(text: str) -> Mapping[str, str]:
    """Headers by lower-case name; values are percent-encoded. Raises CommandError, which shows none of them."""
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = part.partition("=")
        name, value = name.strip(), unquote(value.strip())
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise CommandError(
                "telemetry.headers is not of the form name=value,name=value.",
                "Percent-encode spaces and commas, such as authorization=Bearer%20TOKEN.",
            )
        found[name.lower()] = value
    return found
