"""The campaigns room for programs."""
