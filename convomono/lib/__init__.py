"""Small modules below every app, one per thing; none knows an app."""
