"""What is said to whom and when, and the dispatcher that dials."""
