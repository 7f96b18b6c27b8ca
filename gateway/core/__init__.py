"""The vocabulary every layer shares. No I/O, no clock, no policy."""
