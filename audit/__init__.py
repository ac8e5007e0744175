"""Who did what, kept for good."""
