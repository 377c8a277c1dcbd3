"""What lies on disk: the home folder, backends, secrets, run files."""
