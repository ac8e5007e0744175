"""The telephony room for programs."""
