"""Changes to many leads: what each kind does, and the work that goes through them slice by slice."""
