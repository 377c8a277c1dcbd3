"""Answers that are given again to equal requests, in a private file of their own."""
