"""The billing room for programs."""
