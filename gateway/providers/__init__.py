"""What is known of the providers, as data."""
