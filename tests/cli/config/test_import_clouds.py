"""`fairlead config import`: deployments of LiteLLM at Vertex, Bedrock and Azure."""

import json

import pytest

LITELLM = """
model_list:
  - model_name: opus
    litellm_params:
      {model: vertex_ai/claude-opus-5, vertex_project: p-1, vertex_location: us-east5, vertex_credentials: hidden.json}
  - model_name: flash
    litellm_params: {model: vertex_ai/gemini-3-flash, vertex_project: p-1, vertex_location: us-east5}
  - model_name: sonnet
    litellm_params:
      {model: bedrock/us.anthropic.claude-sonnet-5, aws_region_name: eu-west-1,
       api_key: os.environ/AWS_BEARER_TOKEN_BEDROCK}
  - model_name: oss
    litellm_params: {model: "bedrock/converse/openai.gpt-oss-20b-1:0", aws_access_key_id: hidden-id}
  - model_name: other
    litellm_params: {model: bedrock/us-west-2/openai.gpt-oss-120b, api_key: hidden-key}
  - model_name: gpt
    litellm_params:
      {model: azure/my-gpt, api_base: "https://res.openai.azure.com/openai/deployments/my-gpt?api-version=2024-10-21",
       api_version: 2024-10-21, api_key: os.environ/AZURE_API_KEY}
  - model_name: foundry
    litellm_params:
      {model: azure_ai/claude-opus-5, api_base: "https://res.services.ai.azure.com/anthropic", api_key: hidden-2}
  - model_name: g
    litellm_params: {model: gemini/gemini-3-pro, api_key: os.environ/GEMINI_API_KEY}
  - model_name: lost
    litellm_params: {model: databricks/x, api_key: hidden-3}
  - model_name: secret
    litellm_params: {model: vertex_ai/claude-opus-5, vertex_project: os.environ/SECRET, vertex_location: global}
  - model_name: elsewhere
    litellm_params: {model: azure/x, api_base: "https://evil.example/openai", api_key: hidden-4}
"""
LITELLM += """
  - model_name: haiku
    litellm_params: {model: "bedrock/invoke/us.anthropic.claude-haiku-4-5-20251001-v1:0", api_key: hidden-5}
"""
VERTEX = "https://us-east5-aiplatform.googleapis.com/v1/projects/p-1/locations/us-east5"


@pytest.fixture
def imported(fairlead, tmp_path):
    """What an import printed, and the backends that it left, by name."""
    path = tmp_path / "config.yaml"
    path.write_text(LITELLM)
    fairlead.environ |= {"AWS_REGION": "us-east-1", "SECRET": "hidden-project"}
    code, out, err = fairlead("config", "import", str(path), "--yes")
    assert (code, err) == (0, "")
    return out, {one.stem: json.loads(one.read_text()) for one in (fairlead.home / "backends").glob("*.json")}


def test_clouds_become_backends(imported):
    """A deployment's region, project or resource fills in the URLs of its cloud, in every protocol."""
    out, found = imported
    assert found["vertex"]["root"] == f"{VERTEX}/endpoints/openapi"
    assert found["vertex"]["roots"]["messages"] == f"{VERTEX}/publishers/anthropic"
    assert (found["vertex"]["auth"], found["vertex"]["accounts"]) == ("none", [])
    assert found["bedrock"]["root"] == "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"
    assert found["bedrock"]["accounts"][0]["key"] == "env:AWS_BEARER_TOKEN_BEDROCK"
    assert found["bedrock-invoke"]["root"] == "https://bedrock-runtime.us-east-1.amazonaws.com/model"
    assert "bedrock-invoke:us.anthropic.claude-haiku-4-5-20251001-v1:0" in out
    roots = {one["root"] for name, one in found.items() if name.startswith("bedrock") and name != "bedrock-invoke"}
    regions = ("eu-west-1", "us-east-1", "us-west-2")
    assert roots == {f"https://bedrock-runtime.{one}.amazonaws.com/openai/v1" for one in regions}
    assert found["azure"]["root"] == "https://res.openai.azure.com/openai/v1"
    assert found["foundry"]["roots"] == {"messages": "https://res.services.ai.azure.com/anthropic/v1"}
    assert "gemini" in found
    for row in ("vertex:claude-opus-5", "vertex:gemini-3-flash", "azure:my-gpt", "foundry:claude-opus-5"):
        assert row in out


def test_what_is_not_taken_over(imported):
    """Logins, clouds without a place, foreign hosts and the values of variables that the file names stay out."""
    out, found = imported
    left = out.partition("Left out:")[2]
    for what in (
        *(
            "opus vertex_credentials",
            "oss aws_access_key_id",
            "lost",
            "host is missing",
            "secret",
            "project is missing",
        ),
        *("elsewhere", "its URL is not one of"),
    ):
        assert what in " ".join(left.split()), what
    assert "hidden" not in out
    assert "hidden-project" not in str(found)
