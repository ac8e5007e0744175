"""A demonstration: an agency, its clients, two months of history, and a campaign ready to launch."""
