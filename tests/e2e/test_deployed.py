"""The examples for compose and Kubernetes are started: their own commands, variables, files, users, probes and ends, in
containers without an engine (tests/containers.py)."""

import contextlib
import os
import re
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme
import yaml

from router.settings import parse_duration

from ..containers import ENVIRON, PROGRAM, UID, Container, require_containers
from ..machines import Network
from ..patience import PATIENCE
from ..store.team.servers import find_program
from .processes import until
from .samples import MESSAGES
from .test_rolling_restart import find_nginx
from .upstream import Upstream, plain
from .wire import Client, request

FOLDER = Path(__file__).parents[2] / "packaging"
SECRETS = {name: f"{name}-".ljust(48, "0") for name in ("api-key", "team-secret", "metrics-token", "valkey-password")}
SECRETS["anthropic"] = "sk-ant-0123456789"
KEY = (b"x-api-key", SECRETS["api-key"].encode())
PORT = 3456
API = "api.anthropic.com"

ADDRESSES = ["10.99.0.1", "10.99.0.2", "10.99.1.2"]
pytestmark = [pytest.mark.slow, pytest.mark.allow_hosts(["127.0.0.1", *ADDRESSES])]


@pytest.fixture
def opened():
    """What ends with the test."""
    require_containers()
    with contextlib.ExitStack() as stack:
        yield stack


class Site:
    """Two machines for replicas, each with a provider at its own loopback under the name that the examples have, and
    one for what is before them."""

    def __init__(self, folder, opened):
        self._opened, self._folder = opened, folder
        self.network = opened.enter_context(Network(2))
        self.front, self.machines = self.network.server, self.network.machines
        self.addresses = [f"10.99.{at}.2" for at in range(2)]
        self.authority = trustme.CA()
        self.roots = folder / "roots.pem"
        self.authority.cert_pem.write_to_path(str(self.roots))
        self.ups = [machine.run(self._provide) for machine in self.machines]
        for machine, up in zip(self.machines, self.ups, strict=True):
            opened.callback(machine.run, up.stop)

    def _provide(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(API).configure_cert(context)
        up = Upstream(context, port=443)
        up.default = (plain(MESSAGES.whole),)
        return up

    def run(self, name, machine, words, **more):
        """A container, which ends with the test."""
        folder = self._folder / name
        folder.mkdir()
        return self._opened.enter_context(Container(machine, folder, words, **more))

    def ask(self, *arguments, to=None, host=b"fairlead", **options):
        """An answer to one request from the front. to: the number of a replica, else what listens at the front."""

        def call():
            with Client(PORT, "127.0.0.1" if to is None else self.addresses[to]) as client:
                client.send(request(*arguments, host=host, **options))
                return client.answer()

        return self.front.run(call)

    def probe(self, get, to):
        """The status that a kubelet sees, None where nothing listens: it asks the address of the pod."""
        try:
            return self.ask(get["path"], to=to, host=f"{self.addresses[to]}:{PORT}".encode()).status
        except OSError:
            return None

    def message(self, key=KEY, **more):
        """The answer to a message."""
        return self.ask(MESSAGES.path, MESSAGES.body(), *([key] if key else []), **more)

    def wait(self, replica, to):
        """Wait until a replica is ready."""
        ready = until(lambda: replica.process.poll() is not None or self.probe({"path": "/readyz"}, to) == 200)
        assert ready, replica.said()
        assert replica.process.poll() is None, replica.said()


def end(site, replica, to, grace, serve):
    """Tell a replica to stop: it is not ready, and serves, until it listens no more, and has ended within its time."""
    replica.process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    assert until(lambda: site.probe({"path": "/readyz"}, to) == 503)
    assert serve() == 200
    assert replica.process.wait(min(grace, PATIENCE)) == 0, replica.said()
    return time.monotonic() - told


def own(path, mode=0o400, group=UID):
    """Give a file or folder to the user of the image, as an engine does."""
    os.chown(path, UID, group)
    path.chmod(mode)
    return path


def fill(text, values):
    """A text of compose with its variables."""
    return re.sub(r"\$\{(\w+):\?\}", lambda found: values[found[1]], str(text))


def test_compose(tmp_path, opened):
    """nginx shares what comes among two replicas that share a socket of Valkey; one that is stopped is missed by no
    client, and ends within its time."""
    compose = yaml.safe_load((FOLDER / "compose/compose.yaml").read_text("utf-8"))
    services = compose["services"]
    names = {"API_KEY": "api-key", "TEAM_SECRET": "team-secret", "METRICS_TOKEN": "metrics-token"}
    names |= {"VALKEY_PASSWORD": "valkey-password", "ANTHROPIC_API_KEY": "anthropic"}
    values = {name: SECRETS[secret] for name, secret in names.items()}
    site = Site(tmp_path, opened)
    volumes = {name: tmp_path / f"volume-{name}" for name in compose["volumes"]}
    for name, path in volumes.items():
        path.mkdir()
        if name != "valkey":
            own(path, 0o700)  # as /data of the image
    _, *words = (fill(word, values) for word in services["valkey"]["command"])
    command = [find_program(), *words]
    extra = {} if command[0].startswith("/usr") else {f"{command[0]}:ro": command[0]}
    mounts = {"/data": volumes["valkey"], **{there: here for here, there in extra.items()}}
    site.run("store", site.front, command, environ={}, mounts=mounts, user=0)
    assert until((volumes["valkey"] / "valkey.sock").exists)
    replicas = []
    for at, name in enumerate(("fairlead-1", "fairlead-2")):
        service = services[name]
        mounts = {}
        for volume in service["volumes"]:
            source, there, *mode = volume.split(":")
            mounts[there] = f"{volumes[source]}{':ro' if mode else ''}"
        for one in service["configs"]:
            file = tmp_path / f"{name}-{one['source']}"
            file.write_text(compose["configs"][one["source"]]["content"])
            mounts[one["target"]] = f"{own(file, one['mode'])}:ro"
        environ = {**ENVIRON, **{key: fill(value, values) for key, value in service["environment"].items()}}
        more = {"environ": environ, "mounts": mounts, "hosts": {API: "127.0.0.1"}, "roots": site.roots}
        replicas.append(site.run(name, site.machines[at], [PROGRAM, "proxy"], **more))
    nginx = (FOLDER / "compose/nginx.conf").resolve()
    balancer = site.run(
        "nginx",
        site.front,
        [find_nginx(), "-g", "daemon off;"],
        environ={},
        mounts={"/etc/nginx/nginx.conf": f"{nginx}:ro"},
        hosts={f"fairlead-{at + 1}": address for at, address in enumerate(site.addresses)},
        user=0,
    )
    for at, replica in enumerate(replicas):
        site.wait(replica, at)
    assert until(lambda: balancer.process.poll() is not None or _listens(site))
    assert balancer.process.poll() is None, balancer.said()
    assert {site.message(host=b"localhost:3456").status for _ in range(6)} == {200}
    assert all(up.seen for up in site.ups)
    assert site.ups[0].seen[-1].field(b"x-api-key") == SECRETS["anthropic"].encode()
    assert site.message(key=None).status == 401
    metrics = (b"Authorization", b"Bearer " + SECRETS["metrics-token"].encode())
    for at in range(2):
        assert b"fairlead_shared_up 1.0" in site.ask("/metrics", None, metrics, to=at).body
    grace = parse_duration(services["fairlead-1"]["stop_grace_period"])
    took = end(site, replicas[0], 0, grace, lambda: site.message(to=0).status)
    assert took > parse_duration(services["fairlead-1"]["environment"]["FAIRLEAD_DRAIN_DELAY"])
    assert {site.message().status for _ in range(6)} == {200}


def _listens(site):
    with contextlib.suppress(OSError):
        return site.ask("/livez").status == 200
    return False


class Mount:
    """A volume as a kubelet makes it: links into `..data`, which is a link to what is there now."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self._number = 0

    def put(self, files):
        """Change all files at one moment. They belong to root, and the group of the pod reads them."""
        self._number += 1
        real = self.folder / f"..{self._number}"
        for name, text in files.items():
            path = real / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            os.chown(path, 0, UID)
            path.chmod(0o440)
        (self.folder / "..new").symlink_to(real.name)
        (self.folder / "..new").replace(self.folder / "..data")
        for name in {name.partition("/")[0] for name in files}:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")


def test_kubernetes(tmp_path, opened):
    """Two pods get ready by their probes and serve under the name of the Service; a key that is changed in the Secret
    is taken up where the old one is refused; one that is told to stop is not ready, goes on serving, and ends within
    its time."""
    manifests = {one["kind"]: one for one in yaml.safe_load_all((FOLDER / "kubernetes/fairlead.yaml").read_text())}
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    site = Site(tmp_path, opened)
    _start_store(site, tmp_path)
    data, volumes = manifests["ConfigMap"]["data"], {volume["name"]: volume for volume in pod["volumes"]}
    [source] = volumes["config"]["projected"]["sources"]
    config, secrets = Mount(tmp_path / "config"), Mount(tmp_path / "secrets")
    config.put({item["path"]: data[item["key"]] for item in source["configMap"]["items"]})
    secrets.put(SECRETS)
    environ = dict(ENVIRON)
    for one in container["env"]:
        environ[one["name"]] = one["value"] if "value" in one else SECRETS[one["valueFrom"]["secretKeyRef"]["key"]]
    pods = []
    for at, machine in enumerate(site.machines):
        state = tmp_path / f"state-{at}"
        state.mkdir()
        os.chown(state, 0, UID)
        state.chmod(0o2777)  # an emptyDir with fsGroup
        here = {"state": state, "config": f"{config.folder}:ro", "secrets": f"{secrets.folder}:ro"}
        mounts = {mount["mountPath"]: here[mount["name"]] for mount in container["volumeMounts"]}
        hosts = {API: "127.0.0.1", "valkey": site.network.addresses[at]}
        more = {"environ": environ, "mounts": mounts, "hosts": hosts, "roots": site.roots}
        pods.append(site.run(f"pod-{at}", machine, [PROGRAM, "proxy"], **more))
    for at, one in enumerate(pods):
        site.wait(one, at)
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert site.probe(container[name]["httpGet"], at) == 200
        service = f"{manifests['Service']['metadata']['name']}.default.svc:{PORT}".encode()
        assert site.message(to=at, host=service).status == 200
        assert site.message(to=at, host=b"elsewhere.example").status in (400, 403, 421)
        assert site.message(to=at, key=None).status == 401
        metrics = (b"Authorization", b"Bearer " + SECRETS["metrics-token"].encode())
        assert b"fairlead_shared_up 1.0" in site.ask("/metrics", None, metrics, to=at).body
    secrets.put({**SECRETS, "anthropic": "sk-ant-changed"})
    for at, up in enumerate(site.ups):
        up.script(plain(b"{}", b"401 Unauthorized"))
        assert site.message(to=at).status == 200
        assert up.seen[-1].field(b"x-api-key") == b"sk-ant-changed"
    end(site, pods[0], 0, pod["terminationGracePeriodSeconds"], lambda: site.message(to=0).status)
    assert site.message(to=1).status == 200


def _start_store(site, folder):
    """The server that the example names, with TLS and a password."""
    store = folder / "store"
    store.mkdir()
    issued = site.authority.issue_cert("valkey")
    issued.private_key_pem.write_to_path(str(store / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(store / "chain.pem"))
    program = find_program()
    command = [program, "--port", "0", "--tls-port", "6379", "--tls-auth-clients", "no", "--save", ""]
    command += ["--tls-cert-file", "/data/chain.pem", "--tls-key-file", "/data/key.pem"]
    command += ["--bind", *site.network.addresses, "--requirepass", SECRETS["valkey-password"]]
    mounts = {"/data": store, **({} if program.startswith("/usr") else {program: f"{program}:ro"})}
    server = site.run("valkey", site.front, command, environ={}, mounts=mounts, user=0)

    def listens():
        if "TLS support" in server.said():
            pytest.skip(f"{program} was built without TLS")
        with contextlib.suppress(OSError):
            site.front.run(socket.create_connection, (site.network.addresses[0], 6379)).close()
            return True
        return False

    assert until(listens), server.said()
