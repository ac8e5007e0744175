"""What each event does, one module per sender."""
