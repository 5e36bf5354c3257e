"""The version of this program, in one place: /healthz, the log's first line, files of pictures and MCP name it.

assets/docs/CHANGELOG.md says what came with each, and how to go back; a test compares its first entry.
"""

VERSION = "1.1.0"
PRODUCT = "FLUX.2 [flex] Playground"
"""Files that it writes name it: it never changes."""
