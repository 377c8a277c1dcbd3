"""Which roots are trusted where OpenSSL's compiled-in paths lead nowhere, as they do in a binary built elsewhere."""

import ssl
import sys

import certifi
import pytest

from router.errors import CommandError
from router.net.client.tls import find_roots, make_client_context


def paths(cafile=None, capath=None):
    return ssl.DefaultVerifyPaths(None, capath, "SSL_CERT_FILE", cafile or "/none", "SSL_CERT_DIR", "/none")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "roots.pem").write_text("roots")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.pem").write_text("root")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_openssl_paths_that_hold_roots_are_taken(folder):
    """A file, or a folder with something in it, or both: the system's own choice stands."""
    file, full = str(folder / "roots.pem"), str(folder / "full")
    assert find_roots(paths(cafile=file)) == (file, None)
    assert find_roots(paths(capath=full)) == (None, full)
    assert find_roots(paths(cafile=file, capath=full)) == (file, full)


@pytest.mark.parametrize("capath", [None, "empty"])
def test_the_first_known_place_is_taken(folder, capath):
    """Where OpenSSL's paths lead nowhere, the distribution's file is."""
    found = paths(capath=str(folder / capath) if capath else None)
    places = [str(folder / "missing.pem"), str(folder / "roots.pem"), str(folder / "full" / "a.pem")]
    assert find_roots(found, places) == (places[1], None)


def test_certifi_is_the_last_resort(folder):
    """A system without any roots (an empty container) still verifies."""
    file, _ = find_roots(paths(), [str(folder / "missing.pem")])
    assert file == certifi.where()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    assert context.cert_store_stats()["x509_ca"] > 50


def test_the_context_verifies():
    """Names and chains are checked, with as many roots as OpenSSL finds by itself."""
    context, standard = make_client_context(), ssl.create_default_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    if sys.platform == "linux":
        assert context.cert_store_stats() == standard.cert_store_stats()


def test_roots_of_the_environment_that_cannot_be_used_are_named(monkeypatch, tmp_path):
    """SSL_CERT_FILE leads nowhere: the error names it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(CommandError, match=r"gone\.pem, which cannot be read: No such file") as caught:
        make_client_context.__wrapped__()
    assert str(caught.value).startswith("$SSL_CERT_FILE is ")
