"""Changes of campaigns, by noun; the names other rooms use stand in `lifecycle`."""
