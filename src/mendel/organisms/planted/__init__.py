"""The parts of an organism: words and roles, causes, recipes, texts, checkpoints, admission, files."""
