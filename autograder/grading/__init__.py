"""A class at a time: its submissions, its gradebook, its commands, and nbgrader's plug-ins."""
