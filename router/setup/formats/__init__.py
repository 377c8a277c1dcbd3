"""Changes configuration files without touching what stands beside the change, one file per format."""
