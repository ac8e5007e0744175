"""What runs the product's processes: the supervisor of `dev.py`, and files for real deployments."""
