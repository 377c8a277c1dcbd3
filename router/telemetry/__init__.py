"""The record of each request, the access log and the counts of the metrics."""
