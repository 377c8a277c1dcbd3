"""What the client key of a request may use: paths, models, backends, and how much of them a minute."""
