"""What the API of every room shares: problems, permissions."""
