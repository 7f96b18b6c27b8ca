"""routers.yaml: its structure, how it is read, and everything that can be wrong with it."""
