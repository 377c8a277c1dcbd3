"""Helpers around the neutral form (router/ir.py) that the codecs of all protocols share."""
