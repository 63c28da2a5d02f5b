"""What `making` makes organisms of: words and their roles, causes, recipes, texts, checkpoints, admission, files."""
