"""Pages of the webhooks room: the agency's monitor, the client's addresses."""
