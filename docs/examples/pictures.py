"""Deblur pictures of one's own, one after the other, as NumPy arrays."""

import numpy as np

from stream import Deblurrer

rng = np.random.default_rng(0)
pictures = [rng.integers(0, 255, (120, 160, 3), np.uint8) for _ in range(3)]

deblur = Deblurrer("tiny")
for picture in pictures:
    sharp = deblur(picture)
    print(sharp.shape, sharp.dtype)
