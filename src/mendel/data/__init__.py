"""Prompts, rollouts, assignments."""
