"""The HTTP client seam: one small protocol and its implementations."""
