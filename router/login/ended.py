"""The error for a login that its user has to repeat."""

from router.errors import CommandError


class LoginEnded(CommandError):
    """The issuer renews a login no more, or there is none."""


def make_ended(name: str, why: str) -> LoginEnded:
    """The error for a login that has ended."""
    return LoginEnded(f"login ended: {why}", f"Log in again:   fairlead login {name}")
