"""config.toml and the files of backends."""
