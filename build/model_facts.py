"""Makes the shipped table of model facts anew: `python build/model_facts.py PI_AI.tgz LITELLM.whl`.

PI_AI.tgz: the npm package @earendil-works/pi-ai, LITELLM.whl: the wheel of litellm (manylinux, x86_64), both as their
clients download them (`npm pack`, `pip download --no-deps`). Only the files with the hashes below are read; for newer
ones their version, hash and date change here. Both are under the MIT licence; router/policy/facts/LICENSES.txt has the
texts, and a newer package may have another.

The sources disagree for reasons, so what they say is kept apart: pi-ai tells the window (input and output together) or
a reseller's cap, LiteLLM the most input. Where pi-ai's window is the size from which a higher price holds, LiteLLM's
number is the window. LiteLLM alone has dates of retirement and successors.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from naming import ROOT, BuildError

TARGET = ROOT / "router" / "policy" / "facts" / "shipped_table.py"
#: Bytes that the table may have when compressed.
LIMIT = 30 * 1024


class Package(NamedTuple):
    """One source: its name and version, the hash of the file, and the day of its release."""

    name: str
    sha256: str
    date: str


PI_AI = Package(
    "@earendil-works/pi-ai 1.6.0", "d68312ec574bc959cb7fee26da4f4876d067aed9bbbe76e876359e60d2294747", "2026-11-20"
)
LITELLM = Package("litellm 1.110.2", "9d94d1c7d524b6fd10c14f9c8c6c4f0ac31705f9964ac59dcfd8337c046d8917", "2026-11")
# The sources' names of providers -> fairlead's.
PI_VENDORS = {
    **{name: name for name in ("anthropic", "openai", "openrouter", "groq", "deepseek", "mistral", "xai", "together")},
    **{name: name for name in ("fireworks", "cerebras", "zai")},
    "google": "gemini",
    "moonshotai": "moonshot",
}
LITELLM_VENDORS = {
    **{name: name for name in ("anthropic", "openai", "openrouter", "groq", "deepseek", "mistral", "xai", "gemini")},
    **{name: name for name in ("cerebras", "perplexity", "zai", "moonshot")},
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "dashscope": "alibaba",
}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Levels that pi-ai assumes unless its map says otherwise. Anthropic's API has no `minimal`; pi-ai sends another form.
USUAL_EFFORTS = ("minimal", "low", "medium", "high")
NO_MINIMAL = "anthropic-messages"
MODALITIES = ("text", "image", "audio", "video", "file")
MODES = ("chat", "responses", "completion")
TIER = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
# A model that answers later, for less, is the model under another name.
BATCH = re.compile(r"[:-]batch$")
Row = dict[str, Any]


def main() -> int:
    """Write the table; 0 when it was written."""
    parser = argparse.ArgumentParser(description="Make the shipped table of model facts anew.")
    parser.add_argument("pi_ai", type=Path, metavar="PI_AI.tgz")
    parser.add_argument("litellm", type=Path, metavar="LITELLM.whl")
    options = parser.parse_args()
    try:
        for path, package in ((options.pi_ai, PI_AI), (options.litellm, LITELLM)):
            check_hash(path, package)
        table = join(read_pi_ai(options.pi_ai), read_litellm(options.litellm))
        text = write_module(table)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    TARGET.write_text(text, "utf-8", newline="\n")
    print(f"{sum(map(len, table.values()))} models of {len(table)} providers in {TARGET.relative_to(ROOT)}")
    return 0


def check_hash(path: Path, package: Package) -> None:
    """Raise BuildError unless this file is that package."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise BuildError(f"{path} is not {package.name}: its SHA-256 is {found}")


def read_pi_ai(path: Path) -> dict[str, dict[str, Row]]:
    """Provider -> model -> facts, of the packed npm package."""
    found: dict[str, dict[str, Row]] = {}
    with tarfile.open(path, "r:gz") as archive:
        for name, vendor in PI_VENDORS.items():
            file = archive.extractfile(f"package/dist/providers/data/{name}.json")
            if file is None:
                raise BuildError(f"{path} has no data of {name}")
            for api, models in json.load(file).items():
                usual = USUAL_EFFORTS[1:] if api == NO_MINIMAL else USUAL_EFFORTS
                for model in models.values():
                    if model["type"] == "chat" and not BATCH.search(model["id"]):
                        found.setdefault(vendor, {}).setdefault(model["id"].lower(), _read_pi_model(model, usual))
    return found


def _read_pi_model(model: Mapping[str, Any], usual: Iterable[str]) -> Row:
    row: Row = {"window": model.get("contextWindow"), "max_output": model.get("maxTokens")}
    row["modalities"] = [name for name in MODALITIES if name in model.get("input", ())]
    tiers = [tier["inputTokensAbove"] for tier in model.get("cost", {}).get("tiers", ())]
    row["price_tier_at"] = min(tiers, default=None)
    row["cache_lifetimes"] = sorted(model.get("promptCache", {}).values())
    if model.get("reasoning") is False:
        row["efforts"] = []
    elif "thinkingLevelMap" in model:
        levels = {**{name: name for name in usual}, **model["thinkingLevelMap"]}
        row["efforts"] = [name for name in EFFORTS if name in levels.values()]
    return row


def read_litellm(path: Path) -> dict[str, dict[str, Row]]:
    """The same, of the wheel."""
    with zipfile.ZipFile(path) as archive:
        entries = json.loads(archive.read("litellm/model_prices_and_context_window_backup.json"))
    found: dict[str, dict[str, Row]] = {}
    for key, entry in entries.items():
        provider = entry.get("litellm_provider")
        vendor = LITELLM_VENDORS.get(provider)
        if vendor is None or entry.get("mode") not in MODES or BATCH.search(key):
            continue
        name = key.removeprefix(f"{provider}/").lower()
        # Names with a region or a service tier in front are the same models.
        if "/" not in name or vendor in ("openrouter", "together", "fireworks", "groq"):
            found.setdefault(vendor, {}).setdefault(name, _read_litellm_model(entry))
    return found


def _read_litellm_model(entry: Mapping[str, Any]) -> Row:
    row: Row = {"max_input": entry.get("max_input_tokens"), "max_output": entry.get("max_output_tokens")}
    row["price_tier_at"] = min((int(found[1]) * 1000 for key in entry if (found := TIER.fullmatch(key))), default=None)
    row["retires"] = entry.get("deprecation_date")
    row["successor"] = (entry.get("successor_model") or "").removeprefix(f"{entry['litellm_provider']}/")
    if entry.get("reasoning_effort_levels"):
        row["efforts"] = [name for name in EFFORTS if name in entry["reasoning_effort_levels"]]
    row["modalities"] = [name for name in MODALITIES if name in entry.get("supported_modalities", ())]
    if row["modalities"] and entry.get("supports_pdf_input"):
        row["modalities"].append("file")
    return row


def join(pi_ai: Mapping[str, Mapping[str, Row]], litellm: Mapping[str, Mapping[str, Row]]) -> dict[str, dict[str, Row]]:
    """One row a model; pi-ai's facts come first."""
    found: dict[str, dict[str, Row]] = {}
    for vendor in sorted({*pi_ai, *litellm}):
        names = sorted({*pi_ai.get(vendor, {}), *litellm.get(vendor, {})})
        rows = {name: _join_rows(pi_ai.get(vendor, {}).get(name), litellm.get(vendor, {}).get(name)) for name in names}
        found[vendor] = {name: row for name, row in rows.items() if row}
    return found


def _join_rows(one: Row | None, other: Row | None) -> Row:
    row: Row = {}
    for part in (one or {}, other or {}):
        for name, value in part.items():
            if value not in (None, "") and (value or name == "efforts"):
                row.setdefault(name, value)
    window, most = row.get("window"), row.get("max_input")
    if window is not None and most is not None:
        if window == row.get("price_tier_at") and most > window:
            row["window"] = most
        if most >= row["window"]:
            del row["max_input"]
    return {name: value for name, value in row.items() if _is_sound(name, value)}


def _is_sound(name: str, value: Any) -> bool:
    return name not in ("window", "max_input", "max_output", "price_tier_at") or (isinstance(value, int) and value > 0)


def pack(table: Mapping[str, Mapping[str, Row]]) -> bytes:
    """The table as compressed JSON: provider -> [[name, values of FIELDS without the missing ones at the end], …]."""
    sys.path.insert(0, str(ROOT))
    from router.policy.facts.shipped import FIELDS

    plain: dict[str, list[list[Any]]] = {}
    for vendor, rows in table.items():
        plain[vendor] = [
            [name, *_cut([_shorten(field, row.get(field)) for field in FIELDS])] for name, row in rows.items()
        ]
    # Sorted by facts: models of one kind stand together, which packs better.
    ordered = {vendor: sorted(rows, key=lambda row: json.dumps(row[1:])) for vendor, rows in plain.items()}
    return zlib.compress(json.dumps(ordered, separators=(",", ":")).encode(), 9)


def _shorten(field: str, value: Any) -> Any:
    """Lists of known words as the initials of their places."""
    words = {"efforts": EFFORTS, "modalities": MODALITIES}.get(field)
    return value if words is None or value is None else "".join(str(words.index(word)) for word in value)


def _cut(values: list[Any]) -> Iterator[Any]:
    while values and values[-1] is None:
        values.pop()
    yield from values


def write_module(table: Mapping[str, Mapping[str, Row]]) -> str:
    """The source of the module. Raises BuildError for a table that is too large."""
    packed = pack(table)
    if len(packed) > LIMIT:
        raise BuildError(f"the table has {len(packed)} bytes; {LIMIT} are allowed")
    return "\n".join(_lines(packed)) + "\n"


def _lines(packed: bytes) -> Iterable[str]:
    yield '"""The shipped table of model facts, compressed; build/model_facts.py writes this file, shipped.py reads it.'
    yield ""
    yield f"Made of {PI_AI.name} ({PI_AI.date})"
    yield f"and {LITELLM.name} ({LITELLM.date}), both under the MIT licence: see LICENSES.txt."
    yield '"""'
    yield ""
    yield "#: The day of the older source."
    yield f'DATE = "{min(PI_AI.date, LITELLM.date + "-30")}"'
    yield "#: JSON, compressed by zlib, in base 85."
    yield "DATA = ("
    text = base64.b85encode(packed).decode("ascii")
    for at in range(0, len(text), 110):
        yield f'    "{text[at : at + 110]}"'
    yield ")"


if __name__ == "__main__":
    sys.exit(main())
