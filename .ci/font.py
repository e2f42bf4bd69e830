"""Cut the font of the site's formulas anew, from STIX Two Math as npm has it.

It keeps the characters of all formulas, others that formulas may need next, and whatever sizes and
pieces of them the font's MATH table names. `make font` runs this; tests/test_site.py says when.
"""

import subprocess
import tarfile
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools import subset
from fontTools.ttLib import TTFont
from site_formulas import FONT as KEPT
from site_formulas import drawn_characters, formulas_of_the_course

PACKAGE = "@fontsource/stix-two-math@5.3.0"
FONT = "package/files/stix-two-math-latin-400-normal.woff2"
FAMILY = "Course Math"

ALPHABETS = (
    "DOUBLE-STRUCK",
    "PLANCK CONSTANT",  # the italic h
    "SCRIPT",
    "MATHEMATICAL BOLD CAPITAL",
    "MATHEMATICAL BOLD SMALL",
    "MATHEMATICAL DOUBLE-STRUCK",
    "MATHEMATICAL FRAKTUR",
    "MATHEMATICAL ITALIC",
    "MATHEMATICAL SCRIPT",
)
ASCII = "".join(map(chr, range(0x20, 0x7F)))
GREEK = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρςστυφχψωϑϕϖϰϱϵ"
ACCENTS = "¨¯´ˆˇ˘˙˜\u0302\u0303\u0304\u0305\u0332\u20d7"
PRIMES = {"′": "minute", "″": "second", "‴": "uni2034"}
PUNCTUATION = "\u00a0§·–—‘’“”…⋮⋯⋰⋱"
DELIMITERS = "‖∣∥⌈⌉⌊⌋⟨⟩⏞⏟"
ARROWS = "←↑→↓↔↕↖↗↘↙↦⇐⇑⇒⇓⇔⇕⟵⟶⟷⟸⟹⟺"
OPERATORS = "¬±×÷½−∓∕∖∗∘∙√∂∆∇∏∐∑∫∬∮∧∨∩∪⊕⊗⋀⋁⋂⋃⋅"
RELATIONS = "∀∃∄∅∈∉∋∝∞∼≃≅≈≠≡≤≥≪≫≺≻≼≽⪯⪰⩽⩾⊂⊃⊆⊇⊢⊣⊤⊥"
INVISIBLE = "\u2061\u2062\u2063\u2064"

PRIME_SCALE = 1.8
PRIME_FOOT = 55
PRIME_MARGIN = 45


def characters() -> set[str]:
    """Return the characters that the font keeps."""
    letters = {
        chr(code)
        for code in (*range(0x2100, 0x2150), *range(0x1D400, 0x1D800))
        if unicodedata.name(chr(code), "").startswith(ALPHABETS)
    }
    others = (ASCII, GREEK, ACCENTS, *PRIMES, PUNCTUATION, DELIMITERS, ARROWS, OPERATORS)
    used = map(drawn_characters, formulas_of_the_course())
    return letters.union(*others, RELATIONS, INVISIBLE, *used)


def enlarge_primes(font: TTFont) -> None:
    """Draw primes as large and as low as a superscript, which browsers shrink and lift, needs them.

    Fonts offer such primes by the feature ssty, but this one has lost it, and not all browsers ask.
    """
    for name in PRIMES.values():
        outline = font["glyf"][name]
        outline.coordinates.scale((PRIME_SCALE, PRIME_SCALE))
        outline.recalcBounds(font["glyf"])
        outline.coordinates.translate((PRIME_MARGIN - outline.xMin, PRIME_FOOT - outline.yMin))
        outline.recalcBounds(font["glyf"])
        font["hmtx"][name] = (outline.xMax + PRIME_MARGIN, outline.xMin)


def cut(whole: Path) -> TTFont:
    """Return what the site needs of the font in a file."""
    options = subset.Options(
        bidi_closure=False,
        drop_tables=["GPOS", "GSUB", "GDEF"],
        hinting=False,
        ignore_missing_unicodes=False,
        name_IDs=["*"],
    )
    font = subset.load_font(str(whole), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=map(ord, characters()))
    cutter.subset(font)
    enlarge_primes(font)
    for number, name in {1: FAMILY, 3: FAMILY, 4: FAMILY, 6: FAMILY.replace(" ", "")}.items():
        font["name"].setName(name, number, 3, 1, 0x409)
    return font


def main() -> None:
    """Fetch the whole font, and write its part and its licence where the site has them."""
    with TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        font = cut(Path(folder) / FONT)
        font.flavor = "woff2"
        font.save(KEPT)
        licence = (Path(folder) / "package" / "LICENSE").read_text(encoding="utf-8")
        KEPT.with_name("OFL.txt").write_text(licence, encoding="utf-8")


if __name__ == "__main__":
    main()
