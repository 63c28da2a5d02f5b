"""The arms that a study can have."""
