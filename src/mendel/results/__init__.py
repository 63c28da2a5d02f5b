"""A run's folder as types."""
