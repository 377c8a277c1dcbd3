"""Known providers, one entry each.

The protocols of an entry are those the provider documents under its root; a second root (DeepSeek's and Moonshot's
`/anthropic`) is a backend of its own. An undocumented protocol is left out: a request to it would end in a 404.

Properties that the documentation leaves open have the value that causes an error rather than a silent loss.
"""

from router.backends import ANTHROPIC, Known
from router.backends.profile import LOCAL_SAMPLING, OPENAI_SAMPLING, Profile

#: Day on which the `models` tuples below were written.
MODELS_DATE = "2026-11-20"

PROVIDERS = (
    Known(
        name="openai",
        title="OpenAI",
        root="https://api.openai.com/v1",
        protocols=("chat", "responses"),
        key_prefixes=("sk-proj-", "sk-svcacct-", "sk-admin-"),
        families=(r"gpt-.*", r"o\d.*", r"chatgpt-.*", r"text-.*"),
        # LM Studio calls every model for embeddings text-embedding-….
        published=(r"gpt-oss.*", r"text-embedding-(?!3-|ada-).*"),
        own_headers=("openai-organization", "openai-project", "chatgpt-account-id"),
        models=("gpt-5-mini", "gpt-5", "gpt-5.5", "gpt-4o"),
        refuses_max_tokens=True,
        profile=Profile(
            prefers="responses",
            shared=True,
            compacts=True,
            max_tokens_field="max_completion_tokens",
            system_role="developer",
            files=True,
            user_field="safety_identifier",
            thinkers=r"^(o\d|gpt-([5-9]|oss)|codex)",
            fixed=r"^(o\d|gpt-[5-9](?!.*chat)|codex)",
            cache="breakpoint",
            cachers=r"^gpt-(5\.([6-9]|\d\d)|[6-9])",
            cache_key=True,
            # The models made for it search in any case; all others refuse the field.
            web_search=True,
            searchers="search",
        ),
    ),
    Known(
        name="anthropic",
        title="Anthropic",
        root="https://api.anthropic.com/v1",
        protocols=("messages",),
        key_prefixes=("sk-ant-",),
        api=ANTHROPIC,
        reads_attribution=True,
        hosted=frozenset(("web_search", "mcp")),
        families=(r"claude-.*",),
        # anthropic-version and anthropic-beta are the protocol's own: every Messages backend needs them.
        own_headers=("anthropic-workspace-id", "anthropic-organization-id", "anthropic-user-profile-id"),
        models=("claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-8", "claude-opus-5"),
    ),
    Known(
        name="openrouter",
        title="OpenRouter",
        root="https://openrouter.ai/api/v1",
        protocols=("messages", "chat", "responses"),
        key_prefixes=("sk-or-",),
        profile=Profile(
            reasoning="openrouter",
            sampling=LOCAL_SAMPLING,
            cache="cache_control",
            files=True,
            replay="reasoning",
            user_field="user",
            charge="cost",
            web_search=True,
            searchers="search|sonar|:online",
        ),
    ),
    Known(
        name="groq",
        title="Groq",
        root="https://api.groq.com/openai/v1",
        protocols=("chat", "responses"),
        key_prefixes=("gsk_",),
        profile=Profile(
            max_tokens_field="max_completion_tokens",
            efforts=("none", "low", "medium", "high"),
            user_field="user",
            thinkers="gpt-oss|qwen3",
            stricters="gpt-oss",
        ),
    ),
    Known(
        name="ollama",
        title="Ollama",
        root="http://127.0.0.1:11434/v1",
        protocols=("messages", "chat", "responses"),
        needs_key=False,
        unbilled=True,
        start="ollama serve",
        profile=Profile(
            remote_images=False,
            efforts=("none", "low", "medium", "high"),
            stop_max=16,
            thinkers="gpt-oss|qwen3|deepseek-r1|magistral|think",
        ),
    ),
    Known(
        name="deepseek",
        title="DeepSeek",
        root="https://api.deepseek.com",
        protocols=("chat", "responses"),
        families=(r"deepseek-.*",),
        # Its own API has two names that its weights do not have.
        published=(r"deepseek-(?!(chat|reasoner)$).*",),
        profile=Profile(reasoning="thinking_type", replay="reasoning_content", stop_max=16, shapes=("json_object",)),
    ),
    # Mistral and Z.ai report usage in the last chunk in any case; Mistral refuses `stream_options` (422).
    Known(
        name="mistral",
        title="Mistral",
        root="https://api.mistral.ai/v1",
        protocols=("chat",),
        families=(r"(mistral|codestral)-.*",),
        # Its own API has a role or size, and `latest` or a month behind it.
        published=(r"(mistral|codestral)-(?!([a-z]+-)?(latest|\d{4})$).*",),
        profile=Profile(
            id_form="mistral9",
            empty_content="omit",
            alternates=True,
            stream_usage=False,
            reasoning="none",
            prefill="prefix",
            stop_max=16,
            schemas="mistral",
        ),
    ),
    Known(
        name="xai",
        title="xAI",
        root="https://api.x.ai/v1",
        protocols=("chat", "responses"),
        key_prefixes=("xai-",),
        families=(r"grok-.*",),
        profile=Profile(efforts=("low", "high"), user_field="user", thinkers="grok-3-mini", charge="cost_in_usd_ticks"),
    ),
    Known(
        name="gemini",
        title="Google Gemini",
        root="https://generativelanguage.googleapis.com/v1beta/openai",
        protocols=("chat",),
        key_prefixes=("AIza",),
        families=(r"gemini-.*",),
        own_headers=("x-goog-user-project",),
        model_prefix="models/",
        profile=Profile(
            efforts=("none", "minimal", "low", "medium", "high"), stop_max=5, remote_images=False, schemas="gemini"
        ),
    ),
    Known(
        name="together",
        title="Together AI",
        root="https://api.together.ai/v1",
        other_roots=("https://api.together.xyz/v1",),
        protocols=("chat",),
        profile=Profile(sampling=LOCAL_SAMPLING, efforts=("low", "medium", "high"), thinkers="gpt-oss"),
    ),
    Known(
        name="fireworks",
        title="Fireworks AI",
        root="https://api.fireworks.ai/inference/v1",
        protocols=("messages", "chat", "responses"),
        profile=Profile(sampling=LOCAL_SAMPLING, user_field="user"),
    ),
    Known(
        name="cerebras",
        title="Cerebras",
        root="https://api.cerebras.ai/v1",
        protocols=("chat",),
        key_prefixes=("csk-",),
        profile=Profile(
            max_tokens_field="max_completion_tokens",
            efforts=("low", "medium", "high"),
            remote_images=False,
            thinkers="gpt-oss",
        ),
    ),
    # Its Chat API (Sonar) ended on 2026-09-27.
    Known(
        name="perplexity",
        title="Perplexity",
        root="https://api.perplexity.ai/v1",
        protocols=("responses",),
        key_prefixes=("pplx-",),
        profile=Profile(sampling=LOCAL_SAMPLING, reasoning="none", charge="cost.total_cost"),
    ),
    Known(
        name="zai",
        title="Z.ai",
        root="https://api.z.ai/api/paas/v4",
        protocols=("chat",),
        profile=Profile(reasoning="thinking_type", stream_usage=False, stop_max=1, shapes=("json_object",)),
    ),
    Known(
        name="moonshot",
        title="Moonshot AI",
        root="https://api.moonshot.ai/v1",
        protocols=("chat",),
        profile=Profile(reasoning="thinking_type", replay="reasoning_content", stop_max=5),
    ),
    Known(
        name="alibaba",
        title="Alibaba Model Studio",
        root="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        other_roots=(
            "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
        protocols=("chat", "responses"),
        own_headers=("x-dashscope-workspace",),
        profile=Profile(reasoning="enable_thinking", sampling=LOCAL_SAMPLING, cache="cache_control", stop_max=16),
    ),
    Known(
        name="lmstudio",
        title="LM Studio",
        root="http://127.0.0.1:1234/v1",
        protocols=("messages", "chat", "responses"),
        needs_key=False,
        unbilled=True,
        start="lms server start",
        profile=Profile(sampling=LOCAL_SAMPLING, reasoning="none", single_system=True, named_choice=False),
    ),
    Known(
        name="vllm",
        title="vLLM",
        root="http://127.0.0.1:8000/v1",
        protocols=("messages", "chat", "responses"),
        needs_key=False,
        unbilled=True,
        start="vllm serve MODEL",
        profile=Profile(
            sampling=LOCAL_SAMPLING,
            reasoning="chat_template",
            prefill="continue",
            stop_max=16,
            tool_images=True,
            counts="messages",
        ),
    ),
    Known(
        name="llamacpp",
        title="llama.cpp",
        root="http://127.0.0.1:8080/v1",
        protocols=("messages", "chat", "responses"),
        needs_key=False,
        unbilled=True,
        start="llama-server -m FILE.gguf",
        profile=Profile(
            sampling=LOCAL_SAMPLING,
            reasoning="chat_template",
            single_system=True,
            stop_max=16,
            tool_images=True,
            counts="messages",
        ),
    ),
    Known(
        name="litellm",
        title="LiteLLM proxy",
        root="http://127.0.0.1:4000/v1",
        protocols=("messages", "chat", "responses"),
        start="litellm --config FILE",
        profile=Profile(sampling=OPENAI_SAMPLING, cache="cache_control", files=True, user_field="user"),
    ),
)
