"""A fake of the Gemini API that refuses what the API refuses."""

from .replies import ANSWER, THOUGHTS, Reply, answer_shaped, call_tool, run_a_command
from .upstream import KEY, GeminiUpstream

__all__ = ("ANSWER", "KEY", "THOUGHTS", "GeminiUpstream", "Reply", "answer_shaped", "call_tool", "run_a_command")
