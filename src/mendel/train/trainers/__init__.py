"""Trainers: how students are trained."""
