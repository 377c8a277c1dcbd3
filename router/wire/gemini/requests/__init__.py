"""Requests of the Gemini API, in and out."""
