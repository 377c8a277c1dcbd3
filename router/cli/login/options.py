"""The options of `fairlead login NAME`, and what they mean together with a login that is there already."""

import argparse
import os
import sys
from typing import Literal, NamedTuple

from router.cli.backend import key as backend_key
from router.cli.backend.commands import find_near_name
from router.cli.common.layout import note
from router.cli.common.parser import Parser
from router.errors import CommandError, UsageError
from router.login import openrouter
from router.login.browser import has_browser, is_remote
from router.login.flows import DEFAULT_REDIRECT, Redirect, read_redirect
from router.login.metadata import Metadata, check_issuer
from router.store.home.home import Home
from router.store.keys import logins
from router.store.keys.logins import Login
from router.store.keys.secrets import KEY_LIMIT

Flow = Literal["device", "browser", "manual"]

#: Client ids that vendors gave to their own tools (or how they begin), and those tools: no login here uses one.
_OTHERS = {
    "9d1c250a-e61b-44d9-88ed-5944d1962f5e": "Claude Code",
    "app_EMoamEEZ73f0CkXaXp7hrann": "Codex",
    "Iv1.b507": "GitHub Copilot",
    "b1a00492-": "Grok's tool",
    "17e5f671-": "Kimi Code",
}
VENDORS = (
    "The logins of Claude Pro and Max, ChatGPT, GitHub Copilot, Grok and Kimi Code belong to their vendors' own tools. "
    "Log in there, and have that login passed on:   fairlead backend add anthropic --auth client"
)


class Wanted(NamedTuple):
    """An issuer, and the user's own client there."""

    issuer: str
    client_id: str
    client_secret: str
    scope: str
    audience: str
    redirect: Redirect
    #: As it is stored, '' for the usual one.
    redirect_uri: str

    def __repr__(self) -> str:
        return f"Wanted({self.issuer})"


def build_parser() -> Parser:
    """The parser."""
    parser = Parser(
        "login",
        "Log in, and use the login as the key of a backend; it is renewed before it ends. OpenRouter offers that to "
        "any program. For any other issuer (OpenID Connect, OAuth 2.0), register a client of your own there, and give "
        f"its id: none comes with this program, and no other program's is used.\n{VENDORS}\n"
        "Also:   fairlead login status, fairlead login refresh NAME, fairlead login logout NAME",
        examples=[
            "fairlead login openrouter",
            "fairlead login office --issuer https://sso.example.com --client-id ID",
            "fairlead login work --issuer https://sso.example.com --client-id ID --device",
            "fairlead login status",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="openrouter, or what to call the login")
    parser.add_argument("--issuer", metavar="URL", help="who you log in to, for a login of your own client")
    parser.add_argument("--client-id", metavar="ID", help="of the client that you registered there")
    parser.add_argument("--client-secret-stdin", action="store_true", help="read the client's secret, if it has one")
    parser.add_argument("--scope", metavar="SCOPES", help="what to ask for, separated by spaces")
    parser.add_argument("--audience", metavar="NAME", help="what the token is for, at issuers that want to know")
    parser.add_argument("--device", action="store_true", help="type a code at the issuer's page, on any device")
    parser.add_argument("--browser", action="store_true", help="with the browser of this machine")
    parser.add_argument("--manual", action="store_true", help="with a browser elsewhere: paste the address it ends at")
    parser.add_argument("--no-browser", action="store_true", help="print the page's address, and open nothing")
    parser.add_argument("--redirect-uri", metavar="URI", help="as registered, where the issuer wants a certain one")
    parser.add_argument("--backend", metavar="BACKEND", help="whose key it is (default: the backend named NAME)")
    parser.add_argument("--base-url", metavar="URL", help="where that backend is, if it is a new one")
    parser.add_argument("--protocols", metavar="LIST", help="what that backend speaks, if it is a new one")
    parser.add_argument("--no-keyring", action="store_true", help="keep the tokens in a file of the home")
    return parser


def check_flow(options: argparse.Namespace) -> None:
    """Raise UsageError for flags that contradict each other."""
    given = [flag for flag in ("device", "browser", "manual") if getattr(options, flag)]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} cannot be used together.")
    if options.client_secret_stdin and options.manual and not backend_key.has_terminal():
        raise UsageError("--client-secret-stdin and --manual both read standard input, which is no terminal.")


def is_openrouter(options: argparse.Namespace, name: str) -> bool:
    """True for OpenRouter's own login. Raises UsageError for options that it has no use for."""
    if name != openrouter.NAME or options.issuer is not None:
        return False
    for flag in ("client-id", "client-secret-stdin", "scope", "audience", "device", "redirect-uri"):
        if getattr(options, flag.replace("-", "_")):
            raise UsageError(f"--{flag} is for an issuer of your own (--issuer); OpenRouter's login needs none.")
    return True


def find_issuer(home: Home, options: argparse.Namespace, name: str, before: Login | None) -> str:
    """The issuer that the options name, or that of the login that is there. Raises CommandError."""
    if options.issuer is not None:
        return check_issuer(options.issuer)
    if before is not None and before.client_id:
        return before.issuer
    near = find_near_name(name, [*logins.list_names(home), openrouter.NAME])
    meant = f"Did you mean:               fairlead login {near}\n" if near else ""
    raise CommandError(
        f"{name} is not a login that fairlead knows; openrouter is the only one that needs nothing more.",
        f"{meant}With a client of your own:   fairlead login {name} --issuer URL --client-id ID\n"
        f"With a key:                  fairlead backend add {name} --key-stdin\n{VENDORS}",
    )


def read_wanted(options: argparse.Namespace, issuer: str, before: Login | None) -> Wanted:
    """The issuer with the client that the options name, or that of the login that is there. Raises CommandError."""
    stored = before if before is not None and before.client_id else None
    same = stored if stored is not None and stored.issuer.rstrip("/") == issuer.rstrip("/") else None
    client_id = options.client_id if options.client_id is not None else same.client_id if same else ""
    if not client_id:
        raise UsageError(
            "--issuer needs --client-id.",
            f"Register a client (a public, native one) at {issuer}, and give its id. fairlead has none of its own.",
        )
    _check_client(client_id)
    same = same if same is not None and same.client_id == client_id else None
    uri = options.redirect_uri if options.redirect_uri is not None else same.redirect_uri if same else ""
    redirect = read_redirect(uri or DEFAULT_REDIRECT)
    if redirect.port is None and not options.manual:
        raise UsageError("--redirect-uri leads to no listener on this machine; such a login needs --manual.")
    secret = same.tokens.client_secret if same is not None else ""
    return Wanted(
        issuer,
        client_id,
        _read_secret() if options.client_secret_stdin else secret,
        _choose(options.scope, same.scope if same else ""),
        _choose(options.audience, same.audience if same else ""),
        redirect,
        uri,
    )


def _choose(given: str | None, stored: str) -> str:
    text = stored if given is None else " ".join(given.split())
    if not text.isprintable() or len(text) > 1000:
        raise UsageError("--scope or --audience is too long, or has a control character.")
    return text


def _check_client(client_id: str) -> None:
    if not client_id.isascii() or not client_id.isprintable() or len(client_id) > 400 or client_id != client_id.strip():
        raise UsageError("--client-id is too long, or has a character that no client id has.")
    tool = next((tool for start, tool in _OTHERS.items() if client_id.startswith(start)), None)
    if tool is not None:
        raise CommandError(
            f"this client id is that of {tool}; fairlead uses none that was given to another program.", VENDORS
        )


def _read_secret() -> str:
    """The client's secret, asked without echo or read from a pipe. Raises CommandError."""
    if backend_key.has_terminal():
        text = backend_key.ask("The client's secret (not shown): ")
    else:
        data = sys.stdin.buffer.read(KEY_LIMIT + 1) if sys.stdin is not None else b""
        text = data.decode("utf-8", "replace")
    secret = text.strip()
    if not secret or len(secret) > KEY_LIMIT or not secret.isascii() or not secret.isprintable():
        raise CommandError("the client's secret is empty, too long, or has a character that no secret has.")
    return secret


def choose_flow(options: argparse.Namespace, name: str, found: Metadata | None) -> Flow:
    """How to log in. found: what the issuer says of itself, None at OpenRouter. Raises CommandError."""
    devices = found is not None and bool(found.device_authorization_endpoint)
    if options.manual:
        return "manual"
    if options.device:
        return "device"
    if options.browser or options.no_browser:
        return "browser"
    if has_browser(os.environ):
        return "browser"
    if devices:
        return "device"
    where = "in this session over ssh" if is_remote(os.environ) else "here"
    raise CommandError(
        f"there is no browser {where}.",
        f"With a browser elsewhere:   fairlead login {name} --manual\n"
        f"With one on this machine:   fairlead login {name} --no-browser",
    )


def read_before(home: Home, name: str) -> Login | None:
    """The login that is there, None when there is none or it cannot be read: it is replaced."""
    try:
        return logins.read_login(home, name)
    except CommandError as error:
        note(f"note: the login {name} that is there cannot be read, and will be replaced: {error}")
        return None
