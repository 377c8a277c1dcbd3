"""Changes of backends: roots and their keys, accounts, and the fields that a change keeps."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.backends import PROTOCOLS, Account, Backend, changes
from router.backends.changes import LinkLocal, PublicHttp, Unfit, Wish

BOX = Backend(
    name="box",
    root="https://box.example/v1",
    protocols=("chat",),
    accounts=(Account("default", "sk-1"), Account("work", "env:WORK")),
    added=5.0,
)
KEYS = st.sampled_from(["sk-2", "env:OTHER", "file:~/key"])
ROOTS = st.sampled_from([BOX.root, "https://box.example", "https://other.example/v1", "http://127.0.0.1:8000/v1"])
WISHES = st.builds(
    Wish,
    root=st.none() | ROOTS,
    protocols=st.none() | st.just(("messages", "responses")),
    auth=st.none() | st.sampled_from(["client", "none"]),
    key=st.none() | KEYS,
    enabled=st.none() | st.booleans(),
)


@pytest.mark.parametrize(
    ("url", "insecure", "root"),
    [
        ("https://box.example", False, "https://box.example/v1"),
        ("http://10.0.0.7:8000/v1/", False, "http://10.0.0.7:8000/v1"),
        ("http://box.example", True, "http://box.example/v1"),
        ("http://box.example", False, PublicHttp),
        ("http://8.8.8.8", False, PublicHttp),
        ("https://169.254.169.254/latest", False, LinkLocal),
        ("https://metadata.google.internal./computeMetadata/v1", False, LinkLocal),
        ("http://169.254.7.7:8000", True, "http://169.254.7.7:8000/v1"),
        ("http://10.0.0.1%x.evil.example/v1", True, ValueError),
        ("ftp://box.example", True, ValueError),
        ("https://u:p@box.example", True, ValueError),
    ],
)
def test_root(url, insecure, root):
    """http:// to a public address must be allowed; other wrong URLs are refused in any case."""
    if isinstance(root, str):
        assert changes.root_of(url, insecure=insecure) == root
        return
    with pytest.raises(root):
        changes.root_of(url, insecure=insecure)


def test_protocols_come_in_order():
    """Protocols are read once each, in any case; an unknown one, or none, is refused with the expected names."""
    assert changes.protocols_of([" Responses", "messages", "messages"]) == ("messages", "responses")
    for names in ([], [" "], ["chat", "smoke"]):
        with pytest.raises(ValueError, match=f"some of {','.join(PROTOCOLS)}"):
            changes.protocols_of(names)


@given(WISHES, st.none() | st.just(BOX))
def test_keys_stay_at_their_place(wish, before):
    """A change of place drops the keys, unless a key is given in the same wish; dropped accounts are named."""
    root = changes.root_for("box", wish, before) or BOX.root
    outcomes = [changes.add_backend("box", wish, root, before, now=9.0)]
    if before is not None:
        outcomes.append(changes.change_backend(before, wish))
    for backend, dropped, why in outcomes:
        old = {account.key for account in BOX.accounts}
        kept = {account.key for account in backend.accounts} & old
        moved = changes.unchanged_keys(before, backend.root) is None
        assert not (moved and kept)
        assert bool(dropped) == bool(why)
        assert not (kept and dropped)
        assert (backend.auth == "key") or not backend.accounts
        if wish.key is not None and wish.auth is None:
            assert (backend.auth, backend.accounts[0].key) == ("key", wish.key)


@given(WISHES)
def test_only_what_is_asked_changes(wish):
    """A change keeps the fields it does not name, and the order in which backends were added."""
    after = changes.change_backend(BOX, wish).backend
    assert (after.name, after.added, after.insecure_http) == (BOX.name, BOX.added, False)
    assert after.protocols == (wish.protocols or BOX.protocols)
    assert after.enabled is (True if wish.enabled is None else wish.enabled)
    assert after.root == (wish.root or BOX.root)


OWN = msgspec.structs.replace(BOX, auth="client", accounts=())


@pytest.mark.parametrize(
    ("wish", "auth", "dropped"),
    [
        (Wish(root="https://other.example/v1"), "key", (changes.LOGIN,)),
        (Wish(root="http://box.example/v1"), "key", (changes.LOGIN,)),
        (Wish(root="https://box.example/tenant/v1"), "key", (changes.LOGIN,)),
        (Wish(root="https://other.example/v1", key="sk-2"), "key", (changes.LOGIN,)),
        (Wish(root="https://other.example/v1", auth="client"), "client", ()),
        (Wish(root="https://box.example"), "client", ()),
        (Wish(protocols=("messages",)), "client", ()),
    ],
)
def test_a_login_is_not_taken_to_another_place(wish, auth, dropped):
    """Each tool's own login is for the place it was allowed for, as keys are; the same change may allow it anew."""
    outcome = changes.change_backend(OWN, wish)
    assert (outcome.backend.auth, outcome.dropped, bool(outcome.why)) == (auth, dropped, bool(dropped))
    assert outcome.backend.accounts == ((Account("default", "sk-2"),) if wish.key else ())


def test_headers_move_with_a_root():
    """Those of config.toml would go to the new place, also to that of a new backend of the name."""
    assert changes.list_moving(BOX, "https://box.example", ["X-Key"]) == ()
    assert changes.list_moving(BOX, "https://other.example/v1", ["X-Key"]) == ["X-Key"]
    assert changes.list_moving(None, BOX.root, ["X-Key"]) == ["X-Key"]


def test_empty_wish():
    """An empty wish changes nothing, and no repr shows a key."""
    assert changes.change_backend(BOX, Wish()) == (BOX, (), "")
    assert "sk-" not in repr(Wish(key="sk-2"))


def test_known_place():
    """A known name supplies root, protocols and vendor; a known root under another name supplies the vendor."""
    root = changes.root_for("groq", Wish(), None)
    backend = changes.add_backend("groq", Wish(key="sk-1"), root, None, now=1.0).backend
    assert (backend.vendor, backend.protocols, backend.added) == ("groq", ("chat", "responses"), 1.0)
    assert changes.add_backend("mine", Wish(key="sk-1"), root, None, now=1.0).backend.vendor == "groq"
    assert changes.root_for("mine", Wish(), None) is None
    assert changes.add_backend("mine", Wish(), "https://x.example/v1", None, now=1.0).backend.protocols == ()


def test_accounts():
    """Accounts are added and removed; a repeated or unknown one, and any with a tool's own login, is refused."""
    more = changes.add_account(BOX, Account("home", "sk-3"))
    assert [account.alias for account in more.accounts] == ["default", "work", "home"]
    less = changes.remove_account(more, "default")
    assert [account.alias for account in less.backend.accounts] == ["work", "home"]
    assert less.dropped == BOX.accounts[:1]
    keyless = msgspec.structs.replace(BOX, auth="none", accounts=())
    assert changes.add_account(keyless, Account("a", "sk-3")).auth == "key"
    own = msgspec.structs.replace(keyless, auth="client")
    for kind, refused in {
        "taken": lambda: changes.add_account(BOX, Account("work", "sk-3")),
        "login": lambda: changes.add_account(own, Account("a", "sk-3")),
        "absent": lambda: changes.remove_account(BOX, "home"),
    }.items():
        with pytest.raises(Unfit) as caught:
            refused()
        assert caught.value.kind == kind
