"""Pages of the telephony room: the agency's numbers, recordings of calls."""
