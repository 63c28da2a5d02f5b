"""The functions that a user calls, one file for each."""
