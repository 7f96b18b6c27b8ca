"""The formats of embeddings, each a codec (gateway/dialects/whole.py)."""
