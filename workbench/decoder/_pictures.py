"""One picture file to upright RGB, and small previews of pictures.

Knows nothing of clips. Transparency is pasted over white the way vLLM and qwen-vl-utils do it, so that the pixels agree.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
from PIL.Image import Transpose

from workbench.decoder import _checks
from workbench.errors import MediaInvalid

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
}  # fmt: skip
ORIENTATION = 0x0112
MAX_WIDTH = 1024  # pixels, of a preview


def load(path: str, form: str) -> PIL.Image.Image:
    """The picture as upright RGB; MediaInvalid for everything that is not a whole, reasonable picture of this format."""
    if form not in FORMATS:
        raise _checks.unreadable("image", "it is a clip")
    try:
        with PIL.Image.open(path, formats=[FORMATS[form]]) as image:
            _checks.size(*image.size)  # of the header: nothing is unpacked yet
            image.load()
            turn = UPRIGHT.get(_orientation(image))
            rgb = _rgb(image)
    except (MediaInvalid, MemoryError):
        raise
    except PIL.Image.DecompressionBombError as error:
        raise _checks.too_large(f"is more than {_checks.MAX_PIXELS // 10**6} million pixels large") from error
    except Exception as error:  # decoders raise what they like on damaged files: OSError, SyntaxError, struct.error …
        raise _reason(error, path) from error
    return rgb.transpose(turn) if turn is not None else rgb


def _reason(error: Exception, path: str) -> MediaInvalid:
    text = str(error)
    if "truncated" in text.lower():
        with open(path, "rb") as file:
            return _checks.cut_off("image", len(file.read()))
    if isinstance(error, PIL.UnidentifiedImageError) or not text or text.startswith("decoder error"):
        text = "the file is damaged or cut off"
    return _checks.unreadable("image", text)


def _orientation(image: PIL.Image.Image) -> int:
    """The EXIF orientation, 1 when damaged: such pictures are shown as they lie everywhere else too. TIFF is upright."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # whatever a damaged EXIF block makes the parser raise
        return 1


def _rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _from_16_bit(image)
    if image.mode in ("I", "F"):
        raise _checks.unreadable("image", "it has 32-bit samples, whose range nobody states; save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    white = PIL.Image.new("RGB", image.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _from_16_bit(image: PIL.Image.Image) -> PIL.Image.Image:
    """Scaled, because Pillow's own conversion clips every value above 255 to white."""
    values = np.asarray(image).astype(np.uint32)
    grey = ((values * 255 + 32767) // 65535).astype(np.uint8)
    if isinstance(clear := image.info.get("transparency"), int):
        grey[values == clear] = 255
    return PIL.Image.fromarray(grey).convert("RGB")


def small(picture: PIL.Image.Image | np.ndarray[Any, Any], height: int) -> PIL.Image.Image:
    """The picture `height` pixels high, narrowed where it would be wider than a preview can be."""
    image = picture if isinstance(picture, PIL.Image.Image) else PIL.Image.fromarray(picture)
    return image.resize((min(MAX_WIDTH, max(1, round(image.width * height / image.height))), height))


def side_by_side(images: Sequence[PIL.Image.Image]) -> PIL.Image.Image:
    strip = PIL.Image.new("RGB", (sum(i.width for i in images), images[0].height))
    for i, image in enumerate(images):
        strip.paste(image, (sum(i.width for i in images[:i]), 0))
    return strip


def jpeg(image: PIL.Image.Image, most: int = 0) -> bytes:
    """`most` bytes at most (0 = no limit), by a lower quality where that is enough, else by fewer pixels too."""
    for quality in (85, 70, 50, 30):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        if not most or out.tell() <= most or image.height < 4:
            return out.getvalue()
    return jpeg(image.resize((max(1, image.width // 2), image.height // 2)), most)
