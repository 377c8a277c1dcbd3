"""Logins: how a token is got from an issuer for the user's own client, renewed, and given up."""
