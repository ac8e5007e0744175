"""Retell's paths, one module for each kind of thing."""
