"""Intervals: panels of students and scenarios, and what they say."""
