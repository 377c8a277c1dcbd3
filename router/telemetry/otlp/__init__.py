"""Spans and metrics in OTLP's JSON form, by OpenTelemetry's conventions for generative AI. Texts are never part."""
