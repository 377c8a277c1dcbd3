"""A keyring in memory, in the place of the system's."""

import contextlib

import keyring
from keyring.backend import KeyringBackend


class Shelf(KeyringBackend):
    """A keyring in memory. refusal: what each call raises."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.entries = {}
        self.refusal = None

    def get_password(self, service, username):
        if self.refusal:
            raise self.refusal
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        if self.refusal:
            raise self.refusal
        self.entries[service, username] = password

    def delete_password(self, service, username):
        del self.entries[service, username]


@contextlib.contextmanager
def in_use():
    """The keyring of this process while the body runs."""
    before = keyring.get_keyring()
    made = Shelf()
    keyring.set_keyring(made)
    try:
        yield made
    finally:
        keyring.set_keyring(before)
