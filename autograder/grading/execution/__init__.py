"""A class run and judged, each submission in a worker; one process writes marks and records."""
