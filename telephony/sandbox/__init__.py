"""A local Retell: the same paths, states and signed webhooks, and nothing ever rings."""
