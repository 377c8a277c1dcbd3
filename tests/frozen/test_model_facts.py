"""The script that makes the shipped table of model facts, on packages as small as can be."""

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
import zlib
from importlib import metadata
from pathlib import Path

import pytest

from router.policy.facts import shipped

ROOT = Path(__file__).parents[2]


@pytest.fixture
def facts_script(script):
    """build/model_facts.py as a module."""
    return script("model_facts")


def pi_ai(facts_script, path, models):
    """The npm package with these models of OpenAI and none of the others."""
    with tarfile.open(path, "w:gz") as archive:
        for name in facts_script.PI_VENDORS:
            entries = {f"chat:{one['id']}": one for one in models} if name == "openai" else {}
            data = json.dumps({"some-api": entries}).encode()
            info = tarfile.TarInfo(f"package/dist/providers/data/{name}.json")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def litellm(path, **models):
    """The wheel with these models."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("litellm/model_prices_and_context_window_backup.json", json.dumps(models))
    return path


@pytest.fixture
def table(tmp_path, facts_script):
    """The table that the script makes of two models that the sources tell apart."""
    one = pi_ai(
        facts_script,
        tmp_path / "pi.tgz",
        [
            {
                "id": "Split", "type": "chat", "contextWindow": 400_000, "maxTokens": 128_000,
                "input": ["text", "image"],
                "reasoning": True, "thinkingLevelMap": {"off": "none", "minimal": None, "xhigh": "xhigh"},
                "promptCache": {"short": 300, "long": 3600},
            },
            {
                "id": "priced", "type": "chat", "contextWindow": 272_000, "maxTokens": 128_000, "input": ["text"],
                "reasoning": False, "cost": {"tiers": [{"inputTokensAbove": 272_000}]},
            },
            {"id": "a-batch", "type": "chat", "contextWindow": 1000, "input": ["text"]},
            {"id": "drawing", "type": "image", "contextWindow": 1000, "input": ["text"]},
        ],
    )  # fmt: skip
    other = litellm(
        tmp_path / "litellm.whl",
        split={"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272_000, "max_output_tokens": 9,
               "deprecation_date": "2026-12-11", "successor_model": "openai/next"},
        priced={"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 1_050_000,
                "input_cost_per_token_above_272k_tokens": 1e-5},
        elsewhere={"litellm_provider": "unheard-of", "mode": "chat", "max_input_tokens": 1},
        painter={"litellm_provider": "openai", "mode": "image_generation", "max_input_tokens": 1},
    )  # fmt: skip
    return facts_script.join(facts_script.read_pi_ai(one), facts_script.read_litellm(other))


def test_what_the_sources_say_is_kept_apart(table):
    """Window and most input, the border of a price and the window; what is no chat model is left out."""
    assert {name for rows in table.values() for name in rows} == {"split", "priced"}
    split = table["openai"]["split"]
    assert (split["window"], split["max_input"], split["max_output"]) == (400_000, 272_000, 128_000)
    assert (split["retires"], split["successor"]) == ("2026-12-11", "next")
    assert split["efforts"] == ["none", "low", "medium", "high", "xhigh"]
    priced = table["openai"]["priced"]
    assert (priced["window"], priced["price_tier_at"], "max_input" in priced) == (1_050_000, 272_000, False)
    assert priced["efforts"] == []


def test_the_program_reads_what_the_script_writes(table, facts_script):
    """Field by field; the module is Python, and has its day."""
    names = {}
    exec(facts_script.write_module(table), names)
    assert names["DATE"] == shipped.read_date()
    rows = json.loads(zlib.decompress(base64.b85decode(names["DATA"])))
    found = {row[0]: shipped._unpack(row) for row in rows["openai"]}
    for name, row in table["openai"].items():
        for field in shipped.FIELDS:
            value = getattr(found[name], field)
            assert (list(value) if isinstance(value, tuple) else value) == (
                row.get(field) or ([] if value == () else None)
            )


def test_another_file_is_refused(tmp_path, facts_script, script):
    """The hash of each package is pinned; an oversized table is not written."""
    path = tmp_path / "x"
    path.write_bytes(b"x")
    with pytest.raises(script("naming").BuildError, match=hashlib.sha256(b"x").hexdigest()):
        facts_script.check_hash(path, facts_script.PI_AI)
    large = {"openai": {hashlib.sha256(str(n).encode()).hexdigest(): {"window": n + 64} for n in range(2000)}}
    with pytest.raises(script("naming").BuildError, match="are allowed"):
        facts_script.write_module(large)


def test_the_licences_of_the_sources_are_shipped(facts_script):
    """With the wheel, and by it with the program, which takes the texts of all packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "router/policy/facts/LICENSES.txt" in project["license-files"]
    text = (ROOT / "router/policy/facts/LICENSES.txt").read_text("utf-8")
    for name in (facts_script.PI_AI.name, facts_script.LITELLM.name, "genai-prices"):
        assert name in text
    assert text.count("Permission is hereby granted") == 3


def test_a_wheel_and_a_program_have_the_licence_texts(tmp_path, script, monkeypatch):
    """Byte for byte: a wheel that is built here, and the texts that are collected for a program from what it
    installs."""
    pytest.importorskip("hatchling")
    pytest.importorskip("PyInstaller")
    build = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    wheel = tmp_path / ran.stdout.split()[-1]
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    [info] = (tmp_path / "installed").glob("*.dist-info")
    text = (ROOT / "router/policy/facts/LICENSES.txt").read_bytes()
    assert (info / "licenses" / "router" / "policy" / "facts" / "LICENSES.txt").read_bytes() == text
    find = metadata.distribution
    installed = metadata.PathDistribution(info)
    monkeypatch.setattr(metadata, "distribution", lambda name: installed if name == "fairlead" else find(name))
    script("licenses").collect_licenses(tmp_path / "texts")
    assert (tmp_path / "texts" / "fairlead" / "LICENSES.txt").read_bytes() == text
    assert (tmp_path / "texts" / "fairlead" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
