"""What all requests share of the backends: targets, credentials, queues, account state, catalogs."""
