"""What happens to a request, a layer a file. Knows no ASGI."""
