"""Settings, one module per environment; DJANGO_SETTINGS_MODULE names it."""
