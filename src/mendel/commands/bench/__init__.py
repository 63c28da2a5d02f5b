"""`mendel bench`: organisms of known causes, diagnosed and held against the planted truth."""
