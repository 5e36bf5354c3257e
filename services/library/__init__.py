"""Storage: the history of runs in SQLite, and the pictures as files."""
