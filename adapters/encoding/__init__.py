"""Text formats that more than one adapter reads and writes."""
