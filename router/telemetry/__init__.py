"""What happened: the record of each request, the log, the counts of the metrics."""
