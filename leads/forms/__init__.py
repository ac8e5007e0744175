"""What people type into the pages of the leads room."""
