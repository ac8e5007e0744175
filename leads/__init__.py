"""People to call: lists, uploads, consent and do-not-call."""
