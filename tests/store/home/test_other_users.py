"""Whether other people can log in on this machine: no only where a look shows it."""

import pytest

from router.store.home import other_users
from router.store.home.other_users import (
    Login,
    describe_other_users,
    find_directory,
    find_directory_source,
    find_other_login,
    find_other_managed_home,
    other_profile,
)

OWN = 1500


@pytest.mark.parametrize(
    ("login", "shared"),
    [
        (Login(2000, "/bin/bash"), True),
        (Login(2000, ""), True),
        (Login(2000, "/usr/sbin/nologin"), False),
        (Login(2000, "/bin/false"), False),
        (Login(2000, "/dev/null"), False),
        (Login(101, "/bin/bash"), False),
        (Login(999, "/bin/bash"), False),
        (Login(1000, "/bin/bash"), True),
        (Login(OWN, "/bin/bash"), False),
        (Login(OWN, "/bin/sh", "toor"), False),
        # systemd-homed, the range that the first version ended at, Active Directory by SSSD, winbind, FreeIPA, autorid.
        (Login(60001, "/bin/bash"), True),
        (Login(60513, "/bin/zsh"), True),
        (Login(65000, "/bin/bash"), True),
        (Login(200_001, "/bin/bash"), True),
        (Login(1_127_001_105, "/bin/bash", "CORP\\\\ada"), True),
        (Login(10_000_500, "/bin/bash"), True),
        (Login(0xFFFFFFFD, "/bin/bash"), True),
        # nobody, dynamic users of services, users of builds, services of snaps.
        (Login(65534, "/bin/sh"), False),
        (Login(65535, "/bin/sh"), False),
        (Login(0xFFFFFFFE, "/bin/sh"), False),
        (Login(61184, "/usr/sbin/nologin", "systemd-x"), False),
        (Login(30001, "/run/current-system/sw/bin/nologin", "nixbld1"), False),
        (Login(30032, "/sbin/nologin", "nixbld32"), False),
        (Login(584788, "/usr/bin/false", "snap_daemon"), False),
        (Login(64055, "/usr/sbin/nologin", "libvirt-qemu"), False),
    ],
)
def test_other_login_user_is_seen(login, shared):
    """A person other than us with a login shell makes the machine a shared one, however high the number; services and
    nobody do not."""
    found = find_other_login([Login(0, "/bin/bash"), Login(OWN, "/bin/zsh"), login], OWN)
    assert found == (login if shared else None)


def test_root_shares_with_any_person():
    """For root, any person on the machine is another one."""
    assert find_other_login([Login(0, "/bin/bash"), Login(1500, "/bin/zsh")], own_uid=0)


def machine(folder, nsswitch, passwd="root:x:0:0::/root:/bin/sh\n"):
    (folder / "etc").mkdir()
    (folder / "etc/passwd").write_text(passwd)
    if nsswitch is not None:
        (folder / "etc/nsswitch.conf").write_text(nsswitch)
    return folder


@pytest.mark.parametrize(
    "nsswitch",
    [
        None,
        "",
        "passwd: files systemd\n",
        "passwd:files\n",
        "# passwd: sss\npasswd:\t\tcompat systemd # sss\n",
        "passwd: files mymachines systemd\ngroup: files sss\nshadow: files ldap\n",
        "passwd: files [!SUCCESS=continue] systemd\n",
        "passwd: files [NOTFOUND=return UNAVAIL=continue] systemd\n",
        "passwd: db files\n",
        "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
    ],
)
def test_machine_of_plain_files_has_no_directory(tmp_path, nsswitch):
    """As distributions ship it for one developer's machine, with or without the file."""
    assert find_directory_source(machine(tmp_path, nsswitch)) == ""


@pytest.mark.parametrize(
    ("nsswitch", "source"),
    [
        ("passwd: files sss\n", "sss"),
        ("passwd: sss files systemd\n", "sss"),
        ("passwd:\tfiles\twinbind\n", "winbind"),
        ("passwd: files ldap\n", "ldap"),
        ("passwd: files systemd authd\n", "authd"),
        ("passwd: files nis\n", "nis"),
        ("passwd: files [NOTFOUND=continue] sss\n", "sss"),
        ("Passwd: files sss\n", "sss"),
        ("passwd: files\npasswd: sss\n", "sss"),
        ("passwd: files SSS\n", "SSS"),
        ("passwd: files \x1b[31mevil\n", "[31mevil"),
    ],
)
def test_directory_service_counts_as_other_users(tmp_path, nsswitch, source):
    """It lists nobody: whoever it lets in can log in."""
    assert find_directory_source(machine(tmp_path, nsswitch)) == f"{source} in nsswitch.conf"


@pytest.mark.parametrize("line", ["+", "+::::::", "+@staff::::::", "+ada"])
def test_compat_with_others_is_a_directory(tmp_path, line):
    """Lines of /etc/passwd that bring in users of NIS, as nsswitch.conf(5) has them."""
    folder = machine(tmp_path, "passwd: compat\n", f"root:x:0:0::/root:/bin/sh\n{line}\n")
    assert find_directory_source(folder) == "compat in nsswitch.conf"


def test_unreadable_file_shows_nothing(tmp_path):
    """What cannot be looked at is not taken for plain files."""
    (tmp_path / "etc/nsswitch.conf").mkdir(parents=True)
    assert find_directory_source(tmp_path) == "nsswitch.conf cannot be read"


@pytest.mark.parametrize(
    ("said", "node"),
    [
        ("CSPSearchPath:\n /Local/Default\n", ""),
        ("CSPSearchPath: /Local/Default\n", ""),
        (
            "CSPSearchPath:\n /Local/Default\n /Active Directory/CORP/All Domains\n",
            "/Active Directory/CORP/All Domains",
        ),
        ("CSPSearchPath:\n /Local/Default\n /LDAPv3/ldap.example\n", "/LDAPv3/ldap.example"),
        (None, "dscl does not answer"),
    ],
)
def test_directory_of_macos_is_seen(said, node):
    """By the nodes that logins are looked up in."""
    assert find_directory(said) == node


def test_home_of_another_managed_user_is_seen(tmp_path):
    """systemd-homed keeps an image or a folder for each of its users."""
    assert find_other_managed_home(tmp_path, "ada") == ""
    for name in ("ada", "ada.home", "lost+found", ".home", "bob.old"):
        (tmp_path / "home" / name).mkdir(parents=True)
    assert find_other_managed_home(tmp_path, "ada") == ""
    (tmp_path / "home/eve.homedir").mkdir()
    assert find_other_managed_home(tmp_path, "ada") == "eve"


@pytest.mark.skipif(other_users.sys.platform != "linux", reason="the user database of Linux")
def test_reason_is_a_clause(tmp_path, monkeypatch):
    """It names the user or the service; a machine of one person on plain files gives none."""
    listed = []
    monkeypatch.setattr("pwd.getpwall", lambda: listed)
    assert describe_other_users(machine(tmp_path, "passwd: files systemd\n")) == ""
    (tmp_path / "etc/nsswitch.conf").write_text("passwd: files sss\n")
    assert describe_other_users(tmp_path) == "its users come from a directory service (sss in nsswitch.conf)"
    listed.append(type("Entry", (), {"pw_uid": 200_001, "pw_shell": "/bin/bash", "pw_name": "ada"}))
    assert describe_other_users(tmp_path) == "another user can log in on it (ada)"


def test_other_profile_is_seen(tmp_path):
    """On Windows another user's profile folder makes the machine a shared one; the system's folders do not."""
    for name in ("me", "Public", "Default", "All Users", "defaultuser0"):
        (tmp_path / name).mkdir()
    assert not other_profile(tmp_path / "me")
    (tmp_path / "Ada").mkdir()
    assert other_profile(tmp_path / "me")
