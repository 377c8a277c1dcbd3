"""The state of backends that all requests share: targets, credentials, queues, account state, catalogs."""
