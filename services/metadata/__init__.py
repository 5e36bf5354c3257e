"""Settings inside picture files: written into copies of our pictures, read from pictures of any tool.

with_metadata(bytes, run) → bytes       write.py     a copy that carries the settings; pixels are not encoded again
read_settings(bytes) → FoundSettings    read.py      the usable settings, and why the others cannot be used

record.py   what is written: a lossless JSON record, and (infotext.py) the `parameters` text that other tools read
png.py jpeg.py webp.py   the file formats, byte by byte;  exif.py xmp.py   the two blocks that JPEG and WebP carry
foreign.py comfyui.py    what other tools write;  validate.py   checks their values against our own rules

Hostile files are safe to read: no pixels are decoded, sizes are bounded, and malformed bytes give a FoundSettings with
fewer values or a MetadataError.
"""

from services.metadata.errors import MetadataError
from services.metadata.read import read_settings
from services.metadata.validate import FoundSettings
from services.metadata.write import with_metadata

__all__ = ["FoundSettings", "MetadataError", "read_settings", "with_metadata"]
