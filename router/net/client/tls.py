"""The TLS context for upstream connections: the system's trust store and further roots, always verified."""

import os
import ssl
import stat
import sys
from collections.abc import Sequence
from functools import lru_cache

from router.errors import CommandError

# Where distributions keep the roots. The frozen binary's OpenSSL has only the path of the system it was built on.
SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7
    "/etc/ssl/cert.pem",  # Alpine, Void
)

# X509_V_ERR numbers of OpenSSL's x509_vfy.h.
_EXPIRED = (9, 10)  # not yet valid, expired
_UNKNOWN = (2, 18, 19, 20, 21)  # no issuer, self-signed, self-signed in chain, no local issuer, first one unverifiable
_NOT_TLS = (
    "wrong version number",
    "record layer failure",
    "http request",
    "packet length too long",
    "unknown protocol",
)

_CLOSED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)

# A whole system's roots are 250 KB.
_ROOTS_LIMIT = 4 << 20


@lru_cache(maxsize=4)
def make_client_context(extra_roots: str = "") -> ssl.SSLContext:
    """A context that trusts the system's roots, those of SSL_CERT_FILE, and `extra_roots` (PEM).

    Building it costs about 18 ms: do it in a thread, after listening. On Linux a plain context with OpenSSL's paths:
    truststore reloads the CA file at every handshake there (18 ms of CPU each). On macOS and Windows the system's own
    verifier decides. Raises CommandError for a file of roots that cannot be used.
    """
    if sys.platform == "linux":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Not set_default_verify_paths: it reads the same file, but holds the interpreter's lock meanwhile.
        context.load_verify_locations(*find_roots(ssl.get_default_verify_paths()))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    else:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    named = os.environ.get("SSL_CERT_FILE")
    if named:
        _load_roots(context, _read(named, "$SSL_CERT_FILE"), named, "$SSL_CERT_FILE")
    if extra_roots:
        context.load_verify_locations(cadata=extra_roots)
    # Corporate roots often lack the key usage that the strict flag (a default since Python 3.13) asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    return context


def find_roots(found: ssl.DefaultVerifyPaths, places: Sequence[str] = SYSTEM_ROOTS) -> tuple[str | None, str | None]:
    """The file and the folder of the system's roots: OpenSSL's own, else the distribution's file, else certifi's.

    The file of SSL_CERT_FILE is not among them: it adds roots, whereas OpenSSL would use it in their place.
    """
    folder = found.capath if found.capath and os.listdir(found.capath) else None
    file = found.openssl_cafile if os.path.isfile(found.openssl_cafile) else None
    if file or folder:
        return file, folder
    for place in places:
        if os.path.isfile(place):
            return place, None
    import certifi

    return certifi.where(), None


def read_roots(path: str) -> str:
    """The certificates of tls.ca_file (PEM), checked. Raises CommandError."""
    text = _read(path, "tls.ca_file")
    _load_roots(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), text, path, "tls.ca_file")
    return text


def _read(path: str, setting: str) -> str:
    try:
        with open(os.path.expanduser(path), "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CommandError(f"{setting} is {path}, which is not a plain file.", _make_hint(setting))
            data = file.read(_ROOTS_LIMIT + 1)
    except OSError as error:
        raise CommandError(
            f"{setting} is {path}, which cannot be read: {error.strerror}.", _make_hint(setting)
        ) from None
    if len(data) > _ROOTS_LIMIT:
        raise CommandError(f"{setting} is {path}, which is over {_ROOTS_LIMIT >> 20} MiB.", _make_hint(setting))
    # Comments between certificates may have any bytes.
    return data.decode("ascii", "replace").replace("\ufffd", "?") + "\n"


def _open_at_once(path: str, flags: int) -> int:
    # A pipe in the place of the file would keep the start, or a reload, waiting for whoever writes to it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _load_roots(context: ssl.SSLContext, text: str, path: str, setting: str) -> None:
    try:
        context.load_verify_locations(cadata=text)
    except ssl.SSLError:
        raise CommandError(f"{setting} is {path}, which has no certificate.", _make_hint(setting)) from None


def _make_hint(setting: str) -> str:
    expected = "Use a file of certificates in PEM form (-----BEGIN CERTIFICATE-----)."
    return expected if setting != "tls.ca_file" else f"{expected}\nOr go without:   fairlead config unset {setting}"


def name_library() -> str:
    """The TLS library with its version, as `OpenSSL 3.0.16`."""
    return " ".join(ssl.OPENSSL_VERSION.split()[:2])


def describe_tls_failure(error: BaseException, host: str) -> str:
    """Why a handshake failed, and what to do about a certificate."""
    cause = _find_details(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = cause.verify_message.rstrip(".")
        return f"its certificate was not accepted ({said}). {_advise(cause.verify_code, said, host)}".rstrip(". ")
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, _CLOSED):
        said = _get_reason(cause)
        return f"it does not speak TLS ({said})" if said in _NOT_TLS else said
    return "the connection was closed during the handshake"


def find_tls_cause(error: BaseException, first: bytes = b"") -> str:
    """The cause of a failed handshake, as `backends.advice` names it. first: the peer's first bytes, where they are
    known."""
    if first.startswith(b"HTTP/"):
        return "speaks_http"
    cause = _find_details(error)
    if not isinstance(cause, ssl.SSLError) or isinstance(cause, _CLOSED):
        return "tls_closed"
    return "not_tls" if _get_reason(cause) in _NOT_TLS else ""


def _find_details(error: BaseException) -> BaseException:
    """trio's own error has no details, its cause has."""
    return error.__cause__ if isinstance(error.__cause__, OSError) else error


def _get_reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _advise(code: int, said: str, host: str) -> str:
    if code in _EXPIRED:
        return "Check this machine's date; if it is right, only the host's operator can renew the certificate"
    if code in _UNKNOWN:
        return (
            "It is not signed by a trusted CA. If your company inspects TLS, add its CA:   "
            "fairlead config set tls.ca_file FILE"
        )
    if "match" in said or "not valid for" in said:
        return (
            f"Another server than {host} answered: a login page or proxy may be intercepting the connection, "
            "or the base URL is wrong"
        )
    return ""
