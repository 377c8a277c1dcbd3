"""Answers the tools from the running proxy of this home, its history and its files."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from router.errors import CommandError, NotRecorded
from router.mcp.bounds import TEXT_LIMIT, bound, clean_text, format_text
from router.mcp.protocol import Json
from router.mcp.schemas import REQUEST_URI, RESOURCES, TOOLS
from router.mcp.serve import Failed, Unknown
from router.settings.kinds import clean
from router.store.home.home import Home, open_home
from router.store.home.place import find_home

# Name -> "module:function": each tool pays for its own modules only.
_ANSWERS = {
    "status": "live:report_status",
    "models": "live:list_models",
    "explain": "live:explain",
    "why": "recorded:find_request",
    "requests": "recorded:list_requests",
    "usage": "recorded:add_up",
    "limits": "live:list_limits",
    "doctor": "checks:check",
    "config": "settings:list_settings",
}


class HomeTools:
    """The tools of the home that `environ` names."""

    def __init__(self, environ: Mapping[str, str]):
        self._environ = environ

    def call(self, name: str, arguments: Mapping[str, Any]) -> Json:
        """The result of a tool; one that says why, where it could not answer."""
        try:
            value = self._answer(name, arguments)
        except CommandError as error:
            return {"content": [_format_content(_explain(error))], "isError": True}
        return {"content": [_format_content(format_text(value).decode())], "structuredContent": value}

    def read(self, uri: str) -> str:
        """The JSON of a resource. Raises Unknown, Failed."""
        if uri.startswith(REQUEST_URI) and len(uri) > len(REQUEST_URI):
            name, arguments = "why", {"id": uri.removeprefix(REQUEST_URI)}
        elif uri in RESOURCES:
            name, arguments = RESOURCES[uri]
        else:
            raise Unknown
        try:
            return format_text(self._answer(name, arguments)).decode()
        except NotRecorded:
            raise Unknown from None
        except CommandError as error:
            raise Failed(_explain(error)) from None

    def _answer(self, name: str, arguments: Mapping[str, Any]) -> Json:
        asked = _read_arguments(TOOLS[name].asked, arguments)
        # Checks look at a home that is refused too.
        source = self._environ if name == "doctor" else self._open_home()
        return bound(_load(name)(source, asked))

    def _open_home(self) -> Home:
        """The home, which is not made where there is none: then all is default. Raises CommandError."""
        path = Path(find_home(self._environ))
        return open_home(self._environ) if os.path.lexists(path) else Home(path)


def _load(name: str) -> Callable[[Home | Mapping[str, str], msgspec.Struct], msgspec.Struct]:
    module, _, function = _ANSWERS[name].partition(":")
    return getattr(import_module(f"router.cli.mcp.{module}"), function)


def _read_arguments(form: type[msgspec.Struct], arguments: Mapping[str, Any]) -> msgspec.Struct:
    """The question. Models write null for what they leave out. Raises CommandError."""
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        # JSON may hold halves of characters, which cannot be looked up or sent.
        for value in given.values():
            if isinstance(value, str):
                value.encode("utf-8")
        return msgspec.convert(given, form)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise CommandError(f"the arguments are not valid: {clean(str(error), 300)}.") from None


def _explain(error: CommandError) -> str:
    """Why there is no answer, and what the user can do."""
    return clean_text(f"{error} {error.hint}".rstrip(), TEXT_LIMIT)


def _format_content(text: str) -> Json:
    return {"type": "text", "text": text}
