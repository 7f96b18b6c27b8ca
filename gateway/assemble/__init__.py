"""Spec -> objects: the only place that knows both what a file says and what serves."""
