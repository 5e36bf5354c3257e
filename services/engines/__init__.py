"""The engines that make pictures: fal's queue through fal's client, and the demo engine, which has fal's protocol."""
