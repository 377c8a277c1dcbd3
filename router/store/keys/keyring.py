"""The system's keyring, by the keyring library: macOS Keychain, Windows Credential Locker, Secret Service, KWallet.

The library is an extra of the package: on Linux it brings cryptography with it, 14 MB for one option. It is imported
when an entry is needed, which takes 70 ms. Everything here blocks, as long as a locked keyring waits for its user.
"""

import sys
from types import ModuleType

from router.errors import CommandError
from router.settings import Secret
from router.store.keys.secrets import check_key

# Commands of the systems themselves that print an entry.
_ASKING = {
    "darwin": "security find-generic-password -w -s SERVICE -a USER",
    "linux": "secret-tool lookup service SERVICE username USER",
}


def look_up(service: str, user: str) -> Secret | None:
    """The key in an entry, None when there is none. Raises CommandError."""
    found = look_up_text(service, user)
    return None if found is None else Secret(check_key(found.reveal(), f"the keyring's entry {service}/{user}"))


def look_up_text(service: str, user: str) -> Secret | None:
    """What an entry holds, be it a key or not; None when there is none. Raises CommandError."""
    library = _import_library()
    try:
        text = library.get_password(service, user)
    except Exception as error:
        raise _explain(error, "read") from None
    return None if text is None else Secret(text)


def put(service: str, user: str, key: Secret) -> None:
    """Write an entry, replacing one that is there. Raises CommandError."""
    library = _import_library()
    try:
        library.set_password(service, user, key.reveal())
    except Exception as error:
        raise _explain(error, "written") from None


def remove(service: str, user: str) -> None:
    """Remove an entry; one that is not there is no error. Raises CommandError."""
    library = _import_library()
    try:
        if library.get_password(service, user) is not None:
            library.delete_password(service, user)
    except Exception as error:
        raise _explain(error, "changed") from None


def _import_library() -> ModuleType:
    try:
        import keyring
    except ImportError:
        # The binary comes without it, and nothing can be installed into one.
        install = "" if getattr(sys, "frozen", False) else "Install it:   pip install 'fairlead[keyring]'\n"
        raise CommandError(
            "the keyring library is not installed here.",
            f"{install}Or ask the keyring by a command:   --key-cmd '{_ASKING.get(sys.platform, 'CMD')}'",
        ) from None
    return keyring


def _explain(error: Exception, what: str) -> CommandError:
    """The error for one of the keyring's backends. Its own text is not shown, as it may contain anything."""
    from keyring.errors import KeyringLocked, NoKeyringError

    if isinstance(error, NoKeyringError):
        return CommandError(
            "no keyring is available to this process: none runs for this user, or the session is not reachable.",
            "Keep the key in a file or take it from a command:   --key-file PATH, --key-cmd CMD",
        )
    if isinstance(error, KeyringLocked):
        return CommandError("the keyring is locked.", "Unlock it, then try again.")
    return CommandError(f"the keyring could not be {what} ({type(error).__name__}).")
