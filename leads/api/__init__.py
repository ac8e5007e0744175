"""The leads room for programs."""
