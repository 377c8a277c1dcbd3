"""Gives a request the answer that an equal one got before, where the configuration asks for that."""
