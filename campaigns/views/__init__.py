"""Pages of the campaigns room, by noun."""
