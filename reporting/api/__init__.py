"""The reporting room for programs."""
