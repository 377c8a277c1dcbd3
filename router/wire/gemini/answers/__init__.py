"""Answers of the Gemini API, whole and streamed, in and out."""
