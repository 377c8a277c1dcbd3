"""Files of service accounts with throw-away keys."""

import functools
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

EMAIL = "robot@project-1.iam.gserviceaccount.com"


@functools.cache
def make_key(bits):
    """A private key, the same for each call."""
    return rsa.generate_private_key(65537, bits)


def make_pem(bits=2048, form=serialization.PrivateFormat.PKCS8):
    """The key in PEM."""
    return make_key(bits).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def write_account(path, uri, **changes):
    """Write the file of a service account; a change to None leaves the field out."""
    fields = {
        "type": "service_account",
        "project_id": "project-1",
        "private_key_id": "k1",
        "private_key": make_pem(),
        "client_email": EMAIL,
        "token_uri": uri,
        **changes,
    }
    path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))
    path.chmod(0o600)
    return path
