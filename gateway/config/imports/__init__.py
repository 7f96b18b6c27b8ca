"""Configs of other gateways, read into the words of routers.yaml, with what was lost on the way."""
