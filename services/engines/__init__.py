"""The way to a picture: fal's queue through its own client, or the embedded demo engine that speaks fal's protocol."""
