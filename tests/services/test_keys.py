"""Keys of requests: the same for what says the same, and never another one than before."""
