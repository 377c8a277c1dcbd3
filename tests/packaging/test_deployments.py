"""The examples for Kubernetes and compose: they are valid, and agree with the program, its image and each other."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from router.operator_api.endpoints import ENDPOINTS
from router.settings import parse_duration
from router.settings.keys import find_unknown_variables
from router.store.config import backends, toml
from router.store.home.home import open_home
from router.upstream.configuration import list_faults

FOLDER = Path(__file__).parents[2] / "packaging"
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes" / "fairlead.yaml").read_text("utf-8")))
COMPOSE = yaml.safe_load((FOLDER / "compose" / "compose.yaml").read_text("utf-8"))
BY_KIND = {one["kind"]: one for one in MANIFESTS}
POD = BY_KIND["Deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
#: The user of the image.
UID = int(re.search(r"^USER (\d+):\1$", (FOLDER / "formats/templates/Containerfile").read_text("utf-8"), re.M)[1])
SECRETS = {"api-key", "team-secret", "metrics-token", "valkey-password", "anthropic"}
SERVICES = [COMPOSE["services"][name] for name in ("fairlead-1", "fairlead-2")]


def mounted(folder, files):
    """A configuration folder as a projected volume is mounted: links into `..data`."""
    real = folder / "..1"
    for name, text in files.items():
        path = real / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o400)
    (folder / "..data").symlink_to("..1")
    for name in {name.partition("/")[0] for name in files}:
        (folder / name).symlink_to(f"..data/{name}")
    return folder


def judge(tmp_path, files, environ):
    """The settings of a configuration and its backends; fails for what keeps a proxy from starting with it."""
    (tmp_path / "config").mkdir()
    environ = {
        "FAIRLEAD_HOME": str(tmp_path / "home"),
        "FAIRLEAD_CONFIG_DIR": str(mounted(tmp_path / "config", files)),
        "FAIRLEAD_HOST": "0.0.0.0",
        **environ,
    }
    assert find_unknown_variables(environ) == []
    home = open_home(environ)
    loaded = toml.load(home, environ)
    assert loaded.warnings == ()
    assert [str(fault) for fault in list_faults(home, loaded, environ)] == []
    found, problems = backends.load(home)
    assert problems == ()
    assert [backend.name for backend in found] == ["anthropic"]
    return loaded.settings, found


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_the_configuration_in_the_cluster_is_read(tmp_path):
    """As it is mounted: a proxy would start with it, in every replica with the same secrets."""
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    data = BY_KIND["ConfigMap"]["data"]
    items = volumes["config"]["projected"]["sources"][0]["configMap"]["items"]
    assert {item["key"] for item in items} == data.keys()
    secrets = tmp_path / "secrets"
    (secrets / "..1").mkdir(parents=True)
    (secrets / "..data").symlink_to("..1")
    for name in SECRETS:
        (secrets / "..1" / name).write_text("s" * 48)
        (secrets / "..1" / name).chmod(0o400)
        (secrets / name).symlink_to(f"..data/{name}")
    texts = {item["path"]: data[item["key"]].replace("/etc/fairlead/secrets", str(secrets)) for item in items}
    settings, found = judge(tmp_path, texts, {"FAIRLEAD_API_KEY": "k" * 48})
    assert found[0].accounts[0].key == f"file:{secrets}/anthropic"
    assert BY_KIND["Service"]["metadata"]["name"] in settings.allowed_hosts
    assert POD["terminationGracePeriodSeconds"] >= settings.drain_delay + settings.drain_time + 10
    probe = CONTAINER["readinessProbe"]
    assert settings.drain_delay >= probe["periodSeconds"] * probe["failureThreshold"] + 5
    assert settings.shared_url.startswith("rediss://")


def test_the_pod_is_closed():
    """No root, nothing writable but the state, every file for its group alone, no token of the cluster."""
    own, pod = CONTAINER["securityContext"], POD["securityContext"]
    assert pod["runAsNonRoot"]
    assert pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"] == UID
    assert own["readOnlyRootFilesystem"]
    assert not own["allowPrivilegeEscalation"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert POD["automountServiceAccountToken"] is False
    mounts = {mount["name"]: mount for mount in CONTAINER["volumeMounts"]}
    assert {name for name, mount in mounts.items() if not mount.get("readOnly")} == {"state"}
    for volume in POD["volumes"]:
        assert volume["name"] in mounts
        kind = volume.get("projected") or volume.get("secret")
        assert kind is None or kind["defaultMode"] == 0o440
    variables = {one["name"]: one.get("value") for one in CONTAINER["env"]}
    assert variables["FAIRLEAD_HOME"].startswith(mounts["state"]["mountPath"] + "/")
    assert variables["FAIRLEAD_CONFIG_DIR"] == mounts["config"]["mountPath"]


def test_what_refers_to_another_part_finds_it():
    """Labels, ports, secrets and probes."""
    labels = BY_KIND["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert BY_KIND["Service"]["spec"]["selector"] == labels == BY_KIND["Deployment"]["spec"]["selector"]["matchLabels"]
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == {BY_KIND["Service"]["spec"]["ports"][0]["targetPort"]: 3456}
    assert BY_KIND["Secret"]["stringData"] == dict.fromkeys(SECRETS, "")
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        get = CONTAINER[name]["httpGet"]
        assert get["port"] in ports
        assert ENDPOINTS.match(get["path"]).endpoint("GET").access == "anyone"
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert BY_KIND["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one["kind"])
def test_kubernetes_own_schema(manifest):
    """Strictly: no key that the API does not know."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("kubernetes-validate is not installed")
    import kubernetes_validate

    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
@pytest.mark.parametrize("service", SERVICES, ids=["1", "2"])
def test_the_configuration_in_compose_is_read(tmp_path, service):
    """A proxy would start with the variables and files of each replica."""
    files = {}
    for one in service["configs"]:
        folder = service["environment"]["FAIRLEAD_CONFIG_DIR"]
        assert (one["uid"], one["gid"], one["mode"]) == (str(UID), str(UID), 0o400)
        files[one["target"].removeprefix(folder + "/")] = COMPOSE["configs"][one["source"]]["content"]
    environ = {
        name: "v" * 48 if value.startswith("${") else value
        for name, value in service["environment"].items()
        if name != "FAIRLEAD_CONFIG_DIR"
    }
    settings, _ = judge(tmp_path, files, environ)
    assert parse_duration(service["stop_grace_period"]) >= settings.drain_delay + settings.drain_time + 10
    assert settings.shared_secret is not None
    assert settings.shared_url == "unix:///valkey/valkey.sock"


def test_replicas_share_one_socket():
    """Both reach the server's socket, and neither writes beside it; each has a state of its own."""
    server = COMPOSE["services"]["valkey"]
    assert "/data/valkey.sock" in server["command"]
    assert server["volumes"] == ["valkey:/data"]
    states = [volume for service in SERVICES for volume in service["volumes"] if volume.endswith(":/data")]
    assert len(set(states)) == 2
    assert all("valkey:/valkey:ro" in service["volumes"] for service in SERVICES)
    assert {name.partition(":")[0] for name in (*states, "valkey")} == COMPOSE["volumes"].keys()


def test_nginx_knows_the_replicas():
    """Each service by its name, under a Host that they serve."""
    text = (FOLDER / "compose" / "nginx.conf").read_text("utf-8")
    for name in COMPOSE["services"]:
        assert (f"server {name}:3456 " in text) is name.startswith("fairlead-")
    assert f"Host {SERVICES[0]['environment']['FAIRLEAD_ALLOWED_HOSTS']};" in text


def test_compose_own_judgement(tmp_path):
    """`docker compose config` takes it, where there is one."""
    program = shutil.which("docker")
    if program is None or subprocess.run([program, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    variables = dict.fromkeys(("API_KEY", "TEAM_SECRET", "METRICS_TOKEN", "VALKEY_PASSWORD", "ANTHROPIC_API_KEY"), "v")
    command = [program, "compose", "-f", str(FOLDER / "compose" / "compose.yaml"), "config", "--format", "json"]
    done = subprocess.run(
        command, capture_output=True, env={**os.environ, **variables}, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["services"].keys() == COMPOSE["services"].keys()
