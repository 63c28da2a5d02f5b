"""What `peas` is made from."""
