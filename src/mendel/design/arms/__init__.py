"""The kinds of arms that edit a trait's prompts."""
