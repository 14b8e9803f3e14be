"""What students get back, and pages in which nothing runs that a student wrote."""
