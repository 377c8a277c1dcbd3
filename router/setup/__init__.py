"""Points a tool's own configuration at the proxy, and takes that back."""
