"""The home: its folder, its modes, its run files, the client key."""
