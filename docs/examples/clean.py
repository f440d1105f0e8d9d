"""Clean a recorded video from a program: sound, tags and times are kept, a second run goes on.

Usage: python clean.py INPUT OUTPUT
"""

import sys

from stream import CleanOptions, DeblurError, Deblurrer, EncoderOptions, clean_file

source, target = sys.argv[1:]
options = CleanOptions(EncoderOptions(crf=20), overwrite=True)
with Deblurrer("tiny", look_ahead=True) as deblurrer:
    try:
        result = clean_file(source, target, deblurrer, options, model=deblurrer.identity)
    except DeblurError as error:
        sys.exit(f"{source} is as it was, and nothing is at {target}: {error}")
print(result.stats.frames_out, "frames")
for warning in result.warnings:
    print("not kept:", warning)
