"""Home pages, reports, health, and what machines ask."""
