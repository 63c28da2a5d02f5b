"""The generator of the embedded study `peas`."""
