"""`mendel bench`: diagnose organisms with known causes, and compare the results with the planted truth."""
