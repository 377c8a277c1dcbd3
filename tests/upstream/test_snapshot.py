"""Snapshots: one immutable state of backends, routes and accounts, and the state that successive ones share."""

import dataclasses

import pytest

from router.backends import Account
from router.settings import Settings

from .runtimes import backend
from .services import ACCOUNTS, reconfigure, two_accounts


def test_a_request_keeps_its_snapshot(made):
    """A reload makes another one; the one a request uses does not change."""
    runtime = made(backend(), settings=Settings(model="m"))
    held = runtime.snapshot
    reconfigure(runtime, model="other")
    assert (held.settings.model, held.table.model) == ("m", "m")
    assert (runtime.snapshot.settings.model, runtime.snapshot.table.model) == ("other", "other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        held.settings = Settings()


def test_a_target_and_a_service_for_each_backend(made):
    """In the order they were added; of several accounts, the first with a usable key represents its backend."""
    accounts = (Account("a0", "env:MISSING"), ACCOUNTS[1])
    found = made(two_accounts("late", accounts=accounts, added=2.0), backend("early", added=1.0)).snapshot
    assert list(found.services) == list(found.targets) == ["early", "late"]
    assert found.targets["late"].account == "a1"
    assert [(one.backend.name, one.account) for one in found.all_targets] == [
        ("early", "main"),
        ("late", "a0"),
        ("late", "a1"),
    ]


def test_what_snapshots_share(made):
    """Sealed state that was signed under one snapshot is accepted under the next."""
    runtime = made(backend())
    before = runtime.snapshot
    reconfigure(runtime)
    assert runtime.snapshot is not before
    assert runtime.snapshot.translation_state is before.translation_state


def test_a_snapshot_without_backends(home, made):
    """A proxy without backends routes nothing, and has no problems."""
    found = made(settings=Settings(demo=False)).snapshot
    assert (found.targets, found.services, found.all_targets, tuple(found.problems)) == ({}, {}, [], ())
