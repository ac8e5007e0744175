"""Pages about money: a client's own, and the agency's."""
