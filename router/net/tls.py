"""The TLS context for upstream connections: the system's trust store, always verified."""

import os
import ssl
import sys
from collections.abc import Sequence
from functools import cache

# Where distributions keep the roots. The binary's OpenSSL looks where those of its builder are.
SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7
    "/etc/ssl/cert.pem",  # Alpine, Void
)


@cache
def client_context() -> ssl.SSLContext:
    """One context for the whole process. Building it costs about 18 ms: do it in a thread, after listening.

    On Linux a plain context with OpenSSL's paths: truststore reloads the CA file at every handshake there (18 ms of
    CPU each). SSL_CERT_FILE and SSL_CERT_DIR name other roots. On macOS and Windows the system's own verifier decides.
    """
    if sys.platform == "linux":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Not set_default_verify_paths: it reads the same file, and holds up all threads while it does.
        context.load_verify_locations(*roots(ssl.get_default_verify_paths()))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    else:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Corporate roots often lack the key usage that the strict flag (a default since Python 3.13) asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    return context


def roots(found: ssl.DefaultVerifyPaths, places: Sequence[str] = SYSTEM_ROOTS) -> tuple[str | None, str | None]:
    """The file and the folder of roots to trust: OpenSSL's own, else the distribution's file, else certifi's."""
    folder = found.capath if found.capath and os.listdir(found.capath) else None
    if found.cafile or folder:
        return found.cafile, folder
    for place in places:
        if os.path.isfile(place):
            return place, None
    import certifi

    return certifi.where(), None
