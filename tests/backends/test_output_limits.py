"""Models of other vendors may write about as much as their vendors document."""

import pytest

from router.backends.output_limits import find_output_limit


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("glm-5.3", 128_000),
        ("GLM-5.3-Flash", 128_000),
        ("z-ai/glm-4.6", 128_000),
        ("zai-org/GLM-4.7", 128_000),
        ("~z-ai/glm-flash-latest", 128_000),
        ("glm-4.5-air", 98_304),
        ("glm-4.5v", 16_384),
        ("glm-4-32b-0414-128k", 16_384),
        ("kimi-k3", 262_144),
        ("moonshotai/kimi-k3.1-pro", 262_144),
        ("kimi-k2.6", 131_072),
        ("kimi-k2-0905-preview", 32_768),
        ("kimi-for-coding", 32_768),
        ("deepseek-chat", 8192),
        ("deepseek/deepseek-chat:free", 8192),
        ("deepseek-reasoner", 65_536),
        ("deepseek-v4-pro", 384_000),
        ("MiniMax-M3", 128_000),
        ("MiniMax-M2.5-highspeed", 65_536),
        ("qwen/qwen3.8-max-0902", 131_072),
        ("qwen3-coder:30b", 65_536),
        ("qwen3-max", 65_536),
        ("qwen3:8b", 16_384),
        ("gpt-5.5", 128_000),
        ("openai/gpt-oss-120b", 32_768),
        ("gemini-2.5-pro", 65_536),
        ("claude-opus-5", 0),
        ("anthropic/claude-sonnet-4-5", 0),
        ("llama3:8b", 0),
        ("my-glm-5", 0),
        ("deepseek", 0),
        ("", 0),
    ],
)
def test_output_limits(model, limit):
    """By the name alone, in any case, with the vendor's path in front or a variant behind it."""
    assert find_output_limit(model) == limit
