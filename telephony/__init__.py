"""Numbers, voice agents and calls, and the only door to the voice platform."""
