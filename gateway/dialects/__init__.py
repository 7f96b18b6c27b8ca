"""Wire formats as pure functions: bytes in, values out. No I/O."""
