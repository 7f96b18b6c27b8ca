"""The formats of reranking, each a codec (gateway/dialects/whole.py)."""
