"""SFT data: prompts, teachers and their rollouts, assignments of teachers to prompts, and selectors."""
