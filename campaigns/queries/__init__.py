"""Reads of the campaigns room, each shaped for one screen."""
