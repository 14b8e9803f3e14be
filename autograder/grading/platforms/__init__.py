"""Where the class has no exchange: downloads from Moodle and Canvas, and what goes back there."""
