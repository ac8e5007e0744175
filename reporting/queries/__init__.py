"""Figures as screens and exports show them; reads only."""
