"""Figures, reports and home pages; reads everything below."""
