"""The home: its folder, file permissions, run files, the client key."""
