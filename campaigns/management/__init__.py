"""Commands of the campaigns room."""
