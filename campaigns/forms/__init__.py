"""What people type in the campaigns room, by page."""
