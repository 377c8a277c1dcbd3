"""What is stored on disk: the home folder, configuration, keys, run files, history.db."""
