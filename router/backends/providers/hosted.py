"""Providers that follow the common API under one root, most of them hosts of open models.

Each names the public document that it follows. A protocol that a document leaves open is left out.
"""

from router.backends import Endpoint, Known
from router.backends.profile import LOCAL_SAMPLING, Profile

# What their documents leave open is sent: an error is better than a silent loss.
_OPEN = Profile(sampling=LOCAL_SAMPLING)

HOSTED_PROVIDERS = (
    Known(
        name="huggingface",
        title="Hugging Face",
        root="https://router.huggingface.co/v1",
        key_prefixes=("hf_",),
        own_prefixes=("x-hf-",),
        protocols=("messages", "chat", "responses"),
        key_variables=("HF_TOKEN",),
        profile=_OPEN,
        source="https://huggingface.co/docs/inference-providers/index",
    ),
    Known(
        name="sambanova",
        title="SambaNova",
        root="https://api.sambanova.ai/v1",
        protocols=("messages", "chat", "responses"),
        key_variables=("SAMBANOVA_API_KEY",),
        profile=_OPEN,
        source="https://docs.sambanova.ai/docs/en/get-started/overview",
    ),
    Known(
        name="nvidia",
        title="NVIDIA",
        root="https://integrate.api.nvidia.com/v1",
        key_prefixes=("nvapi-",),
        protocols=("chat",),
        key_variables=("NVIDIA_API_KEY",),
        profile=_OPEN,
        source="https://docs.api.nvidia.com/nim/reference/llm-apis",
    ),
    Known(
        name="nebius",
        title="Nebius Token Factory",
        root="https://api.tokenfactory.nebius.com/v1",
        other_roots=("https://api.studio.nebius.ai/v1", "https://api.studio.nebius.com/v1"),
        protocols=("chat",),
        key_variables=("NEBIUS_API_KEY",),
        profile=_OPEN,
        source="https://docs.tokenfactory.nebius.com/quickstart",
    ),
    Known(
        name="novita",
        title="Novita AI",
        root="https://api.novita.ai/openai/v1",
        other_roots=("https://api.novita.ai/v3/openai",),
        endpoints={"messages": Endpoint(root="https://api.novita.ai/anthropic/v1", auth_header="x-api-key")},
        protocols=("messages", "chat"),
        key_variables=("NOVITA_API_KEY",),
        profile=_OPEN,
        source="https://novita.ai/docs/guides/llm-anthropic-compatibility",
    ),
    Known(
        name="deepinfra",
        title="DeepInfra",
        root="https://api.deepinfra.com/v1/openai",
        protocols=("chat",),
        key_variables=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        profile=_OPEN,
        source="https://deepinfra.com/docs/openai_api",
    ),
    Known(
        name="minimax",
        title="MiniMax",
        root="https://api.minimax.io/v1",
        # The service in China.
        other_roots=("https://api.minimaxi.com/v1",),
        endpoints={"messages": Endpoint(root="https://api.minimax.io/anthropic/v1", auth_header="x-api-key")},
        models_path="",
        protocols=("messages", "chat"),
        key_variables=("MINIMAX_API_KEY",),
        profile=_OPEN,
        source="https://platform.minimax.io/docs/api-reference/text-anthropic-api",
    ),
    Known(
        name="baseten",
        title="Baseten",
        root="https://inference.baseten.co/v1",
        protocols=("messages", "chat"),
        key_variables=("BASETEN_API_KEY",),
        profile=_OPEN,
        source="https://docs.baseten.co/inference/model-apis/overview",
    ),
    Known(
        name="scaleway",
        title="Scaleway",
        root="https://api.scaleway.ai/v1",
        protocols=("chat", "responses"),
        key_variables=("SCW_SECRET_KEY",),
        profile=_OPEN,
        source="https://www.scaleway.com/en/docs/generative-apis/",
    ),
    Known(
        name="ovh",
        title="OVHcloud AI Endpoints",
        root="https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        protocols=("chat",),
        key_variables=("OVH_AI_ENDPOINTS_ACCESS_TOKEN",),
        profile=_OPEN,
        source="https://help.ovhcloud.com/csm/en-public-cloud-ai-endpoints-getting-started",
    ),
    Known(
        name="ollama-cloud",
        title="Ollama cloud",
        root="https://ollama.com/v1",
        protocols=("messages", "chat", "responses"),
        key_variables=("OLLAMA_API_KEY",),
        profile=_OPEN,
        source="https://docs.ollama.com/cloud",
    ),
    Known(
        name="vercel",
        title="Vercel AI Gateway",
        root="https://ai-gateway.vercel.sh/v1",
        protocols=("messages", "chat", "responses"),
        key_variables=("AI_GATEWAY_API_KEY",),
        profile=_OPEN,
        source="https://vercel.com/docs/ai-gateway",
    ),
    Known(
        name="meta",
        title="Meta",
        root="https://api.meta.ai/v1",
        protocols=("messages", "chat", "responses"),
        profile=_OPEN,
        source="https://api.meta.ai/docs",
    ),
)
