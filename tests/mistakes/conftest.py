"""Commands, a provider, and proxies for the table of mistakes."""

from ..cli.conftest import fairlead, provider

__all__ = ["fairlead", "provider"]
