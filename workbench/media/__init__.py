"""Pictures and clips of a request: read from its content, kept by the hash of their bytes, decoded elsewhere.

Knows nothing of templates, models or screens.
"""

from workbench.media._content import read_content
from workbench.media._library import Library, MediaFacts

__all__ = ["Library", "MediaFacts", "read_content"]
