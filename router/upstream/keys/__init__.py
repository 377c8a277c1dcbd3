"""Where keys are fetched from."""
