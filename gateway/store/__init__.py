"""State that replicas share: limits, cached replies, nonces. In memory, or in Redis."""
