"""Settings inside picture files: written into copies, read from pictures that others made.

with_metadata(bytes, run) → bytes       write.py     a copy that carries the settings; no pixel is encoded again
read_settings(bytes) → FoundSettings            read.py      what can be used, and what cannot and why

record.py   what is written: a lossless JSON record, and (infotext.py) the field's `parameters` text beside it
png.py jpeg.py webp.py   the containers, byte by byte;  exif.py xmp.py   the two blocks that JPEG and WebP carry
foreign.py comfyui.py    what other tools write;  settle.py   their values against our own rules

Nothing here decodes pixels, so a picture can be as hostile as it likes: sizes are bounded, and malformed bytes end in
a FoundSettings with less in it or in a MetadataError.
"""

from services.metadata.errors import MetadataError
from services.metadata.read import read_settings
from services.metadata.validate import FoundSettings
from services.metadata.write import with_metadata

__all__ = ["FoundSettings", "MetadataError", "read_settings", "with_metadata"]
