"""A demonstration: an agency, its clients, 30 days of history, and a campaign ready to launch."""
