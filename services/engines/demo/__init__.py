"""The embedded demo engine: a queue that speaks fal's own protocol, and a painter. It is no model."""
