"""Commands: indexes, and the move to another database."""
