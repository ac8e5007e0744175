"""The inbox of the voice platform's events."""
