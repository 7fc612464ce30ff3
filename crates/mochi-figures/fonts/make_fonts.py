"""Makes Roboto-Regular.ttf and Roboto-Bold.ttf: the scripts and signs that figures need, without hints, from the fonts of Debian's package
fonts-roboto-unhinted (2:0~20170802-3, Apache-2.0).

    apt-get download fonts-roboto-unhinted && dpkg -x fonts-roboto-unhinted_*.deb roboto
    python make_fonts.py roboto            (needs fonttools)
"""

import sys
from pathlib import Path

from fontTools import subset

# Basic Latin, Latin-1, Latin Extended-A; Greek; Cyrillic; punctuation and thin spaces; superscripts and subscripts; currency; letterlike signs and
# mathematical operators; the replacement character.
RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x2B9, 0x2DD), (0x386, 0x3CE), (0x400, 0x45F), (0x2000, 0x2044), (0x2070, 0x208E), (0x20AC, 0x20AC)]
RANGES += [(0x2113, 0x2126), (0x2202, 0x2265), (0xFFFD, 0xFFFD)]


def make(source, target):
    options = subset.Options(hinting=False, layout_features=["kern"], notdef_outline=True, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14])
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    subset.save_font(font, target, options)


here = Path(__file__).parent
for name in ["Roboto-Regular.ttf", "Roboto-Bold.ttf"]:
    (path,) = Path(sys.argv[1]).rglob(name)
    make(path, here / name)
    print(name, (here / name).stat().st_size)
