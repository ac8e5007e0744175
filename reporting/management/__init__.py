"""Management of the reporting room, and of what belongs to no room."""
