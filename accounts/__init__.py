"""The agency's clients, their people, and who may see what."""
