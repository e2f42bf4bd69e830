"""The pictures on a dark page.

Pictures are drawn for white paper. On a dark page, each colour of the SVG gives way to its partner,
so the picture need not be drawn again. `palette.py` holds the partners of the colours that have a
meaning; greys follow a rule.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from psipo_explore.views.kit.palette import ON_DARK

BACKGROUND = "#131416"  # that of the dark theme furo
_WHITE, _BLACK = "#ffffff", "#000000"
_GREYS = (
    *(_BLACK, "#222222", "#444444", "#555555", "#888888", "#999999", "#b5b5b5", "#bbbbbb"),
    *("#c4c4c4", "#dddddd", "#e0e0e0", "#eeeeee", "#f0f0f0"),
)
_PALE = 0.8  # lightness from which a grey is a region, a hatch or a grid; darker greys are ink
_COLOUR = re.compile(r'(\b(?:fill|stroke)(?:: |="))(#[0-9a-f]{6})\b')

# A heat map is a bitmap, so a filter replaces its colours: it turns light to dark, keeps the hue,
# mutes what would be glaring, and leaves white as dark as the background.
IMAGE_FILTER = (
    '<filter id="on-dark" color-interpolation-filters="sRGB">'
    '<feColorMatrix values="-0.21 -1.23 0.38 0 1.06 -0.91 -0.39 0.55 0 0.75'
    ' 0.43 -1.39 -0.32 0 1.28 0 0 0 1 0"/>'
    "<feComponentTransfer>"
    '<feFuncR type="gamma" amplitude="0.71" exponent="1.61" offset="0.08"/>'
    '<feFuncG type="gamma" amplitude="1.16" exponent="1.58" offset="0.08"/>'
    '<feFuncB type="gamma" amplitude="0.74" exponent="1.78" offset="0.08"/>'
    "</feComponentTransfer></filter>"
)


def dark_palette() -> dict[str, str]:
    """Return the dark partner of every colour that occurs in a picture.

    Text has the colour of the partner of black. Matplotlib does not write black where it is the
    default, so a page also has to set `fill` around the picture; `darkened` does so.

    Returns
    -------
    dict
        Partners by colour; both are lower-case hex.

    Examples
    --------
    >>> dark_palette()["#ffffff"]
    '#131416'
    """
    meanings = {colour.lower(): partner for colour, partner in ON_DARK.items()}
    return {_WHITE: BACKGROUND, **{grey: _dark_grey(grey) for grey in _GREYS}, **meanings}


def darkened(svg_text: str) -> str:
    """Return the picture as a dark page shows it.

    Parameters
    ----------
    svg_text : str
        SVG of a picture, whole or in layers.

    Returns
    -------
    str
        The same SVG with dark colours. A colour without a partner stays.

    Examples
    --------
    >>> darkened('<svg><path style="fill: #ffffff"/></svg>')
    '<svg fill="#e8e8e8"><path style="fill: #131416"/></svg>'
    """
    partners = dark_palette()
    text = _COLOUR.sub(lambda found: found[1] + partners.get(found[2], found[2]), svg_text)
    text = text.replace("<svg", f'<svg fill="{partners[_BLACK]}"')
    return text.replace("<image", f'{IMAGE_FILTER}<image filter="url(#on-dark)"')


def style_sheet() -> str:
    """Return CSS that darkens every picture of a page, also what a slider will move.

    Returns
    -------
    str
        Rules for a page that shows no other SVG, to be put into a media query.

    Examples
    --------
    >>> style_sheet()[:22]
    'svg { fill: #e8e8e8; }'
    """
    partners = dark_palette()
    rules = [f"svg {{ fill: {partners[_BLACK]}; }}"]  # Matplotlib does not write black
    rules += [
        f'[style*="{of}: {colour}"] {{ {of}: {partner} !important; }}'
        for colour, partner in partners.items()
        for of in ("fill", "stroke")
    ]
    image = f'<svg xmlns="http://www.w3.org/2000/svg">{IMAGE_FILTER}</svg>'
    rules.append(f'image {{ filter: url("data:image/svg+xml,{quote(image)}#on-dark"); }}')
    return "\n".join(rules)


def _dark_grey(grey: str) -> str:
    """Mirror the lightness of a grey, as OKLab has it.

    Ink is mirrored into the range that is read well on black. A pale grey comes to lie 1.5 times as
    far from the background as it was from white, because small steps are seen less in the dark.
    """
    lightness = _lightness(grey)
    if lightness > _PALE:
        return _grey(_lightness(BACKGROUND) + 1.5 * (1 - lightness))
    return _grey(0.42 + 0.51 * (1 - lightness))


def _lightness(grey: str) -> float:
    """Return the lightness of a grey in OKLab, from 0 to 1."""
    level = int(grey[3:5], 16) / 255
    linear = level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4
    return float(linear ** (1 / 3))


def _grey(lightness: float) -> str:
    linear = lightness**3
    level = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return "#" + f"{round(255 * level):02x}" * 3
