"""router-gateway: named routers over many model providers, declared in one file."""

__version__ = "0.1.0"
