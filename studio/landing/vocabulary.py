"""What a landing page may be written in: elements, attributes, style functions. Whatever is not listed goes.

An allow-list, because the list of what harms grows with every browser. The vocabulary is small on purpose: elements
that switch a parser's mode (`template`, `noscript`, `math`, `style` inside of `svg`, `select` with more than options)
are how a document that was checked becomes another one when it is parsed again.
"""

from __future__ import annotations

import re
from typing import Final

HTML: Final = "http://www.w3.org/1999/xhtml"
SVG: Final = "http://www.w3.org/2000/svg"


def words(text: str) -> frozenset[str]:
    """Return the words of a list that is written as one text."""
    return frozenset(text.split())


STRUCTURE = frozenset({"html", "head", "title", "meta", "style", "body"})
FLOW = words(
    "header nav main section article aside footer div p h1 h2 h3 h4 h5 h6 ul ol li dl dt dd figure "
    "figcaption blockquote hr br wbr a span strong em b i small s u mark abbr cite q code kbd samp sub "
    "sup time address img table caption thead tbody tfoot tr th td colgroup col details summary svg"
)
FORM = words("form label input button select option optgroup textarea fieldset legend")
ELEMENTS = STRUCTURE | FLOW | FORM
VOID = words("area base br col embed hr img input link meta source track wbr")

# Their text is no text of the page, so it goes with them; of other unlisted elements the children stay.
DROPPED_WHOLE = words(
    "script noscript template iframe frame frameset noframes object embed applet param math audio video "
    "source track canvas base link xmp plaintext noembed listing portal fencedframe dialog slot marquee"
)

SVG_ELEMENTS = words(
    "svg g path rect circle ellipse line polyline polygon text tspan title desc defs symbol use "
    "linearGradient radialGradient stop clipPath mask pattern marker filter feTurbulence feColorMatrix "
    "feBlend feGaussianBlur feOffset feMerge feMergeNode feFlood feComposite feComponentTransfer feFuncR "
    "feFuncG feFuncB feFuncA feMorphology feDisplacementMap feDropShadow"
)

_GLOBAL = words("id class lang dir title role hidden tabindex style")
_BY_ELEMENT: dict[str, frozenset[str]] = {
    "html": frozenset({"lang", "dir", "class", "style"}),
    "meta": frozenset({"charset", "name", "content", "media", "property"}),
    "style": frozenset({"media"}),
    "a": frozenset({"href"}),
    "img": words("src alt width height loading decoding"),
    "ol": frozenset({"start", "reversed", "type"}),
    "li": frozenset({"value"}),
    "time": frozenset({"datetime"}),
    "td": frozenset({"colspan", "rowspan", "headers"}),
    "th": frozenset({"colspan", "rowspan", "headers", "scope"}),
    "col": frozenset({"span"}),
    "colgroup": frozenset({"span"}),
    "details": frozenset({"open"}),
    "form": frozenset({"autocomplete", "method", "action", "accept-charset"}),
    "label": frozenset({"for"}),
    "input": words(
        "type name value placeholder required autocomplete inputmode maxlength minlength size checked "
        "spellcheck autocapitalize enterkeyhint"
    ),
    "button": frozenset({"type"}),
    "select": frozenset({"name", "required", "autocomplete"}),
    "option": frozenset({"value", "selected", "disabled", "label"}),
    "optgroup": frozenset({"label"}),
    "textarea": words("name placeholder required rows cols maxlength autocomplete spellcheck"),
}
_SVG_ATTRIBUTES = words(
    "viewBox preserveAspectRatio width height x y x1 y1 x2 y2 cx cy r rx ry fx fy fr d points pathLength "
    "transform fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke- "
    "linejoin stroke-dasharray stroke-dashoffset stroke-miterlimit opacity color clip-path clip-rule mask "
    "filter display visibility overflow vector-effect paint-order shape-rendering text-rendering offset "
    "stop-color stop-opacity gradientUnits gradientTransform spreadMethod clipPathUnits maskUnits "
    "maskContentUnits patternUnits patternContentUnits patternTransform marker-start marker-mid marker- "
    "end markerWidth markerHeight markerUnits orient refX refY filterUnits primitiveUnits in in2 result "
    "mode type values stdDeviation baseFrequency numOctaves seed stitchTiles operator k1 k2 k3 k4 radius "
    "dx dy flood-color flood-opacity scale xChannelSelector yChannelSelector tableValues slope intercept "
    "amplitude exponent text-anchor dominant-baseline alignment-baseline font-family font-size font- "
    "weight font-style letter-spacing word-spacing rotate textLength lengthAdjust focusable version href"
)

_ARIA_OR_DATA = re.compile(r"(?:aria|data)-[a-z][a-z0-9-]*")

META_NAMES = frozenset(
    {"viewport", "description", "color-scheme", "theme-color", "author", "application-name", "generator"}
)
# What is shown where somebody shares the page; our own code says both from title and description.
META_PROPERTIES = ("og:title", "og:description")
INPUT_TYPES = frozenset({"email", "text", "tel", "number", "checkbox", "radio"})
# What a browser or a password manager must never fill in here, and what our own code fills in.
FIELD_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")

IMAGE_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=\s]+", re.IGNORECASE)
FRAGMENT = re.compile(r"#[A-Za-z0-9_][\w.-]*|#", re.ASCII)
# Where an attribute of SVG may point: inside of this document.
LOCAL_REFERENCE = re.compile(r"\s*url\(\s*(['\"]?)#[\w.-]+\1\s*\)\s*", re.ASCII)


def may_hold(element: str, attribute: str, *, svg: bool) -> bool:
    """Return whether `element` (its local name) may have `attribute`."""
    if attribute in _GLOBAL or _ARIA_OR_DATA.fullmatch(attribute):
        return True
    return attribute in (_SVG_ATTRIBUTES if svg else _BY_ELEMENT.get(element, frozenset()))


# --- style sheets

AT_RULES = words("media supports keyframes -webkit-keyframes container layer property scope starting-style")
_COLOURS = "rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix light-dark device-cmyk"
_GRADIENTS = (
    "linear-gradient radial-gradient conic-gradient repeating-linear-gradient repeating-radial-gradient"
    " repeating-conic-gradient"
)
_MATHS = (
    "calc min max clamp abs sign round mod rem sin cos tan asin acos atan atan2 pow sqrt hypot log exp calc-size"
    " progress"
)
_TRANSFORMS = (
    "translate translatex translatey translatez translate3d scale scalex scaley scalez scale3d rotate rotatex rotatey"
    " rotatez rotate3d skew skewx skewy matrix matrix3d perspective"
)
_FILTERS = "blur brightness contrast drop-shadow grayscale hue-rotate invert opacity saturate sepia"
_SHAPES = "circle ellipse inset polygon path rect xywh ray shape"
_OTHERS = (
    "var env attr counter counters minmax repeat fit-content cubic-bezier steps linear anchor anchor-size view scroll"
    " url"
)
FUNCTIONS = words(f"{_COLOURS} {_GRADIENTS} {_MATHS} {_TRANSFORMS} {_FILTERS} {_SHAPES} {_OTHERS}")
# They would fetch, or run, in some browser or other.
PROPERTIES_REFUSED = frozenset({"behavior", "-moz-binding", "-ms-behavior", "src"})
