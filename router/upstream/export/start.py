"""Puts the export of a proxy together."""

import secrets

from router.telemetry.otlp.spans import PROVIDERS
from router.upstream.export.otlp import OtlpExport, Sources
from router.upstream.runtime import Runtime


def make_export(runtime: Runtime) -> OtlpExport:
    """The export that the settings name with `telemetry.otlp`; `runtime` shows its queue from now on."""

    def find_provider(backend: str) -> str:
        for known in runtime.snapshot.table.backends:
            if known.name == backend:
                return PROVIDERS.get(known.vendor, known.vendor or backend)
        return backend

    settings = runtime.settings
    sources = Sources(
        runtime.recorder, runtime.credentials, lambda: runtime.snapshot.outbound, find_provider, runtime.log.add
    )
    export = OtlpExport(settings.telemetry_otlp or "", settings.telemetry_headers, sources, secrets.token_hex(8))
    runtime.spans = export.queue
    return export
