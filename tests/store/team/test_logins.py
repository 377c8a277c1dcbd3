"""A login that several homes have is renewed once, and no home loses it."""

import threading

import msgspec
import pytest
import trio

from router.errors import CommandError
from router.login.calls import make_send
from router.login.refresh import refresh
from router.store.home.home import open_home
from router.store.keys import logins
from router.store.team.state.logins import TeamLogins

from ...login.issuer import running
from ...login.stored import store
from ...patience import PATIENCE
from .servers import Server
from .teams import connect


@pytest.fixture
def issuer():
    """An issuer."""
    with running() as found:
        yield found


def make_homes(folder, issuer, count):
    """Homes with one login, and the login."""
    homes = [open_home({"FAIRLEAD_HOME": str(folder / f"home{at}")}) for at in range(count)]
    login = store(homes[0], issuer)
    for home in homes[1:]:
        logins.save_record(home, login)
    return homes, login


def renew_all(homes, servers, seen):
    """Renew at each home, each in a thread with connections of its own; what each got or raised."""
    found = [None] * len(homes)

    def work(at):
        team = connect(servers[at])
        shared = TeamLogins(team.client, team.names, team.secret)
        try:
            found[at] = trio.run(refresh, homes[at], "work", make_send(), seen, shared)
        except CommandError as error:
            found[at] = error
        finally:
            team.client.close()

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(homes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return found


def test_four_homes_ask_once(tmp_path, issuer):
    """Of four that renew one login at once, one asks the issuer, which replaces the token; all have its answer."""
    with Server(tmp_path) as server:
        homes, login = make_homes(tmp_path, issuer, 4)
        found = renew_all(homes, [server] * 4, login.access)
        assert len(issuer.asked) == 1
        assert {one.tokens.access for one in found} == issuer.live - {login.tokens.access}
        assert {logins.read_login(home, "work").tokens.refresh for home in homes} == {found[0].tokens.refresh}
        assert server.command("KEYS", "fl:*lock*") == "*0"


def test_a_home_that_was_away_follows(tmp_path, issuer):
    """A home that has the tokens of two renewals ago takes the latest, and asks the issuer nothing."""
    with Server(tmp_path) as server:
        homes, login = make_homes(tmp_path, issuer, 2)
        [first] = renew_all(homes[:1], [server], login.access)
        [second] = renew_all(homes[:1], [server], first.access)
        [late] = renew_all(homes[1:], [server], login.access)
        assert len(issuer.asked) == 2
        assert late.tokens.access in (first.tokens.access, second.tokens.access)
        [last] = renew_all(homes[1:], [server], late.access)
        assert len(issuer.asked) == 2 + (late.tokens.access == second.tokens.access)
        assert last.tokens.access in issuer.live


def test_without_the_server_each_renews_by_itself(tmp_path, issuer):
    """A server that is gone is passed over."""
    with Server(tmp_path) as server:
        homes, login = make_homes(tmp_path, issuer, 1)
        server.kill()
        [found] = renew_all(homes, [server], login.access)
        assert found.tokens.access != login.tokens.access
        assert len(issuer.asked) == 1


def test_the_tokens_are_sealed(tmp_path, issuer):
    """No token is on the server in a form that its administrator could use; another team cannot open it."""
    with Server(tmp_path) as server:
        homes, login = make_homes(tmp_path, issuer, 1)
        [found] = renew_all(homes, [server], login.access)
        team = connect(server)
        [key] = team.client.execute("KEYS", "fl:{team}:login:*")
        value = team.client.execute("GET", key)
        for secret in (found.tokens.access, found.tokens.refresh, login.tokens.refresh):
            assert secret.encode() not in value + key
        assert msgspec.structs.asdict(found)["entry"] == ""
        team.client.close()
