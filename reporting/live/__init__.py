"""Open pages: who may watch what, what they show of it, and how changes get there."""
