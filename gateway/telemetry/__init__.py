"""Metrics and logs. Nothing here decides anything."""
