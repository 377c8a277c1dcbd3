"""Parts of the decoder of Chat answers: calls, reasoning details, citations, further choices, known fields."""
