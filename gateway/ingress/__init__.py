"""ASGI: from a scope to an exchange, and from a reply to the client."""
