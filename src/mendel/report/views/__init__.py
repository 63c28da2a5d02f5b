"""What is shown of a run, without HTML."""
