"""LiteLLM's config.yaml as backends, aliases and settings.

One entry of `model_list` is a deployment: its provider, URL and key become a backend, its model name an alias. LiteLLM
balances over several deployments of one name; an alias has one target.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from router.backends import Account, Backend
from router.backends.known import KNOWN, host_of
from router.cli.config import import_clouds
from router.cli.config.import_plan import Plan, assemble_backend, make_backend_name, parse_reference
from router.errors import CommandError

_VARIABLE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")
# LiteLLM's name of a provider -> fairlead's name.
_PROVIDERS = {
    **{name: name for name, entry in KNOWN.items() if not entry.variables},
    "ollama_chat": "ollama",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "hosted_vllm": "vllm",
    "lm_studio": "lmstudio",
    "dashscope": "alibaba",
    "litellm_proxy": "litellm",
    "text-completion-openai": "openai",
    "openai_like": "openai",
    "custom_openai": "openai",
}
_USED = {"model", "api_base", "base_url", "api_key"}
_LEFT = {
    **import_clouds.LEFT,
    "rpm": "limits per minute are set for a whole backend:   fairlead config set backends.NAME.rpm NUMBER",
    "tpm": "limits per minute are set for a whole backend:   fairlead config set backends.NAME.tpm NUMBER",
    "timeout": "timeouts are set for a whole backend:   fairlead config set backends.NAME.timeouts.total TIME",
    "stream_timeout": "timeouts are set for a whole backend:   fairlead config set backends.NAME.timeouts.idle TIME",
}
_PARAMETER = "parameters of requests are the tool's; a rule can set them:   fairlead config edit"
_NO_SETTING = "fairlead has no such setting"


def fill_plan(plan: Plan, tree: Mapping[str, Any]) -> None:
    """Fill the plan from a config.yaml."""
    reader = _Reader(plan)
    listed = tree.get("model_list")
    for index, node in enumerate(cast("list[object]", listed) if isinstance(listed, list) else []):
        reader.read_deployment(f"model_list {index + 1}", _as_table(node))
    router, litellm, general = (_as_table(tree.get(f"{name}_settings")) for name in ("router", "litellm", "general"))
    groups = router.get("model_group_alias") or litellm.get("model_group_alias")
    for name, target in _as_table(groups).items():
        reader.read_group(name, target)
    _read_settings(plan, router, litellm, general)
    for key in tree:
        if key not in ("model_list", "router_settings", "litellm_settings", "general_settings"):
            plan.skip(
                key, "variables are set where the proxy starts" if key == "environment_variables" else _NO_SETTING
            )


def _as_table(node: object) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {}
    return {key: value for key, value in cast("dict[object, Any]", node).items() if isinstance(key, str)}


def _read_settings(plan: Plan, router: dict[str, Any], litellm: dict[str, Any], general: dict[str, Any]) -> None:
    time = litellm.get("request_timeout", router.get("timeout"))
    if isinstance(time, int | float) and not isinstance(time, bool) and 0 < time < 1e9:
        plan.add_setting("request_timeout", "timeouts.total", f"{time:f}".rstrip("0").rstrip(".") + "s")
    master = general.get("master_key")
    if isinstance(master, str) and master.strip():
        if _VARIABLE.fullmatch(master.strip()):
            plan.skip("general_settings.master_key", "it is a variable; set $FAIRLEAD_API_KEY where the proxy starts")
        else:
            plan.add_setting("general_settings.master_key", "api_key", master.strip())
    done = {"request_timeout", "master_key", "model_group_alias"}
    for title, settings in (("router", router), ("litellm", litellm), ("general", general)):
        for key in settings:
            if key not in done and not (title == "router" and key == "timeout" and "request_timeout" not in litellm):
                plan.skip(f"{title}_settings.{key}", _NO_SETTING)


class _Reader:
    """Reads the deployments into a plan."""

    def __init__(self, plan: Plan):
        self.plan = plan
        #: LiteLLM's model name in lower case -> BACKEND:MODEL.
        self.targets: dict[str, str] = {}
        #: Root -> name of the planned backend.
        self.planned: dict[str, str] = {}
        #: Root -> keys that are planned.
        self.keys: dict[str, set[str]] = {}

    def read_deployment(self, what: str, entry: dict[str, Any]) -> None:
        """Read one entry of model_list."""
        params = _as_table(entry.get("litellm_params"))
        name, model = entry.get("model_name"), params.get("model")
        if not isinstance(name, str) or not isinstance(model, str):
            self.plan.skip(what, "it has no model_name or no litellm_params.model")
            return
        what = f"{what} {name}"
        try:
            backend, served = self._backend(what, model, params)
        except CommandError as error:
            self.plan.skip(what, str(error).rstrip("."))
            return
        if backend is not None:
            self._plan_name(what, name, backend, served)
        used = _USED | import_clouds.USED if import_clouds.find_cloud(model.partition("/")[0].lower()) else _USED
        for key in params:
            if key not in used:
                self.plan.skip(f"{what} {key}", _LEFT.get(key, _PARAMETER).replace("NAME", backend or "NAME"))

    def _backend(self, what: str, model: str, params: dict[str, Any]) -> tuple[str | None, str]:
        """The backend of a deployment, None when the plan skipped it, and the backend's name of the model."""
        provider, slash, served = model.partition("/")
        url = params.get("api_base") or params.get("base_url")
        if not slash:
            provider, served = _guess_provider(model), model
        if isinstance(url, str) and _VARIABLE.fullmatch(url.strip()):
            raise CommandError(
                "its URL is a variable; add the backend with it:   fairlead backend add NAME --base-url …"
            )
        key = params.get("api_key")
        stored = parse_reference(key, _VARIABLE) if isinstance(key, str) and key.strip() else ""
        cloud = import_clouds.find_cloud(provider.lower())
        if cloud is not None:
            found = import_clouds.read_cloud(cloud, served, params, stored, _VARIABLE)
            backend = msgspec.structs.replace(found.backend, name=self._free_name(found.backend))
            return self._plan_backend(what, backend, stored), found.model
        known = _PROVIDERS.get(provider.lower())
        if known is None:
            raise CommandError(f"{provider} has no API of a protocol that fairlead knows")
        backend = self._assemble(known, url if isinstance(url, str) and url.strip() else None, stored)
        return self._plan_backend(what, backend, stored), served

    def _assemble(self, known: str, url: str | None, key: str) -> Backend:
        accounts = (Account("default", key),) if key else ()
        # LiteLLM completes the URL of these two only.
        exact = known not in ("ollama", "anthropic")
        # LiteLLM uses `openai` for any server with the Chat protocol.
        program = "" if known == "openai" else known
        backend = assemble_backend("-", url or KNOWN[known].root, accounts, exact=exact, program=program)
        return msgspec.structs.replace(backend, name=self._free_name(backend))

    def _free_name(self, backend: Backend) -> str:
        if backend.root in self.planned:
            return self.planned[backend.root]
        name = backend.vendor or make_backend_name(host_of(backend.root).replace(".", "-"))
        taken = set(self.planned.values())
        return next(f"{name}{suffix}" for suffix in ("", *range(2, 100)) if f"{name}{suffix}" not in taken)

    def _plan_backend(self, what: str, backend: Backend, key: str) -> str | None:
        keys = self.keys.setdefault(backend.root, set())
        if backend.root in self.planned:
            if backend.accounts and key not in keys:
                keys.add(key)
                self.plan.add_account(what, backend.name, key)
            return backend.name
        if not self.plan.add_backend(what, backend) and not self.plan.serves(backend):
            return None
        self.planned[backend.root] = backend.name
        keys.add(key)
        return backend.name

    def _plan_name(self, what: str, name: str, backend: str, served: str) -> None:
        if name == "*":
            self.plan.add_setting(what, "default_backend", backend)
        elif "*" in name or "*" in served:
            self.plan.skip(
                f"{what} as a pattern", f"models of {backend} are found by its list, or asked as {backend}:MODEL"
            )
        elif name.lower() in self.targets:
            self.plan.skip(f"{what} as another target", f"a name has one target: {self.targets[name.lower()]}")
        else:
            self.targets[name.lower()] = f"{backend}:{served}"
            self.plan.add_setting(what, f"aliases.{name}", f"{backend}:{served}")

    def read_group(self, name: str, target: object) -> None:
        """Read one entry of model_group_alias. An alias is one step, so its target is the final model."""
        wanted = _as_table(target).get("model", target)
        final = self.targets.get(str(wanted).lower())
        if final is None:
            self.plan.skip(f"model_group_alias {name}", "it leads to no model of this file that was taken over")
        else:
            self.plan.add_setting(f"model_group_alias {name}", f"aliases.{name}", final)


def _guess_provider(model: str) -> str:
    for known in KNOWN.values():
        if any(re.fullmatch(family, model.lower()) for family in known.families):
            return known.name
    return "a model without a provider"
