"""Art directions: twelve ways to draw a page, and which three of them an idea gets.

Each is a brief as a design director would give it: composition, typographic scale, colour, picture, movement. The
choice follows from what the idea speaks of and, among equals, from its words, so that the same idea is always drawn
the same way and unlike ideas are not.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from studio.text import sha256_hex


class Direction(NamedTuple):
    """A way to draw a page. `key` names it, `family` says which others look like it, `cues` which ideas call for it."""

    key: str
    name: str
    family: str
    cues: str
    brief: str


DIRECTIONS: tuple[Direction, ...] = (
    Direction(
        "broadsheet",
        "Broadsheet",
        "page",
        r"bak\w+|bread|sourdough|brot\w*|bäck\w+|writ\w+|books?|bücher|reading|news\w*|letters?|coffee|kaffee|wine"
        r"|wein|cheese|käse|recipes?|rezept\w*|histor\w+|stor(?:y|ies)|craft\w*|handwerk\w*|cook\w*|koch\w*",
        "The front page of a well-set newspaper. Headline at clamp(2.6rem, 7vw, 5.75rem), line height 0.98,"
        " tracking -0.02em, hung on the left; small capitals for labels. A column grid with hairline rules between"
        " columns, a masthead between a thick and a thin rule, a drop capital at the first text. The accent is a"
        " spot colour, used three times at most. One engraving-like line drawing that breaks the column edge."
        " Nothing moves but the underline of links.",
    ),
    Direction(
        "swiss",
        "International style",
        "grid",
        r"B2B|SaaS|software|apps?|dashboards?|schedul\w+|calendar|kalender|plan\w*|teams?|office|büro\w*|workflow\w*"
        r"|meetings?|hiring|recruit\w*|crm|projects?|companies|firmen|agencies|agenturen",
        "Objective and loud at once. Two weights; headline bold at clamp(3rem, 9.5vw, 8.5rem), line height 0.9,"
        " tracking -0.045em, flush left; text at 1.0625rem/1.55 in a narrow measure. Twelve columns that show: the"
        " headline spans nine, the text sits in columns five to nine, labels hang in column one. One field in the"
        " accent's fill, from the first screen to the one that holds the form. The picture is the motif enlarged"
        " until it is abstract, cropped by the edge. Numbers of sections large and light. No shadows, no rounded"
        " corners.",
    ),
    Direction(
        "poster",
        "Silkscreen poster",
        "bold",
        r"music\w*|musik\w*|concerts?|konzert\w*|bands?|festivals?|sports?|football|fußball|running|club|party|dance"
        r"|tanz\w*|cinema|kino|film\w*|theat(?:re|er)s?|events?|comedy|vinyl|skate\w*|climb\w*|kletter\w*|surf\w*",
        "A poster seen from across the street. The first screen is one flat colour from edge to edge with the"
        " motif huge and cropped, the headline set as an image: heavy capitals, clamp(3.2rem, 12vw, 11rem), line"
        " height 0.84. Then bands, each in another of the brand's colours, each with one thought in large type."
        " Text on colour has 4.5:1. The form stands in the last band as wide as the page. A slow drift of the"
        " motif, none with prefers-reduced-motion.",
    ),
    Direction(
        "blueprint",
        "Technical drawing",
        "grid",
        r"drones?|drohnen?|robot\w*|roboter\w*|sensor\w*|hardware|engineer\w*|ingenieur\w*|machin\w+|maschin\w+|3d"
        r"|print(?:er|ing)s?|solar|batter(?:y|ies)|akkus?|construction|bau(?:stelle|en)?\w*|satellit\w*|electr\w+"
        r"|factor(?:y|ies)|API|code|developer\w*|infrastructure|devices?|iot",
        "A drawing sheet. A fine grid over the whole ground, a frame with a title block, the motif drawn in"
        " outline with dimension lines and lettered parts that the sections explain. Labels at 0.75rem with"
        " tracking 0.08em; headline light at clamp(2.2rem, 5.2vw, 4.4rem). The ground is the accent's fill, as on"
        " a blueprint, or the brand's own as tracing paper; lines have the colour of text, and one is the second"
        " accent. The lines draw themselves once.",
    ),
    Direction(
        "fieldnotes",
        "Field notes",
        "page",
        r"garden\w*|gärt\w+|plants?|pflanz\w*|bees?|bienen?|honey|honig|farm\w*|bauern\w*|hof\w*|vegetables?|gemüse"
        r"|forest|wald|nature|natur|birds?|vögel|herbs?|kräuter|seeds?|saat\w*|compost|hik\w+|wander\w*|mushrooms?"
        r"|pilze?|fruit|obst|flowers?|blumen",
        "The notebook of somebody who looks closely. Headline at clamp(2.4rem, 5.6vw, 4.6rem) in italic, text at"
        " 1.125rem/1.65. A page with a printed margin line; plates with a thin frame and a caption in italics hold"
        " botanical drawings of the motif. Sections alternate between margin note and text. Generous space;"
        " nothing is centred but the plates.",
    ),
    Direction(
        "nocturne",
        "Nocturne",
        "calm",
        r"meditat\w+|sleep\w*|schlaf\w*|calm|ruhe\w*|mindful\w*|achtsam\w*|nurses?|pflege\w*|therap\w+|mental\w*"
        r"|anxi\w+|angst|breath\w*|atem\w*|yoga|grief|trauer\w*|hospice|hospiz|night\w*|nacht\w*|stress|burnout"
        r"|dream\w*|stars?|stille|quiet|relax\w*",
        "A dark room with one light. The darker of the brand's two grounds, and a single soft glow of its accent"
        " behind the motif; headline at clamp(2.6rem, 6.4vw, 5.4rem), line height 1.06, centred, text in a measure"
        " of 34rem at 1.125rem/1.75. Very much space: 22vh between sections. Hairlines instead of boxes. The glow"
        " breathes with a period of nine seconds, and stands still with prefers-reduced-motion. A light twin for"
        " prefers-color-scheme: light is the same room at dawn.",
    ),
    Direction(
        "ledger",
        "Ledger",
        "grid",
        r"invoic\w*|rechnung\w*|accounting|buchhalt\w*|tax\w*|steuer\w*|payments?|zahlung\w*|bank\w*|insur\w+"
        r"|versicher\w*|contracts?|vertr[aä]g\w*|legal|recht\w*|budget\w*|salar\w+|payroll|lohn\w*|bookkeep\w*"
        r"|expenses?|finance\w*|freelanc\w*|kredit\w*|notar\w*",
        "The dignity of a good form. Ruled lines across the page, a narrow column of labels at the left and text"
        " at the right, tabular figures, the headline at clamp(2.3rem, 5vw, 4.2rem). The waitlist form is a slip"
        " with a perforated edge that lies over the first rule. Banknote guilloche, drawn as fine curves in the"
        " brand's hue, is the only ornament. The second accent for rules and the seal.",
    ),
    Direction(
        "cutout",
        "Paper cut-outs",
        "bold",
        r"child\w*|kinder\w*|kids?|toddlers?|bab(?:y|ies|ys?)|famil\w+|parents?|eltern|pets?|haustier\w*|dogs?"
        r"|hund\w*|cats?|katzen?|toys?|spielzeug\w*|kindergarten|playground|fun|spaß|birthday|geburtstag\w*|school"
        r"|schul\w*|pupils|horses?|pferde?",
        "Scissors and coloured paper. Large organic shapes overlap behind the text and run off the page; the"
        " motif is cut from the accents and their tints. Headline heavy at clamp(2.8rem, 7vw, 6rem), line height"
        " 1; text at 1.125rem/1.6. Each section sits on its own sheet, slightly turned, in another colour. Buttons"
        " are pills. Cheerful, but with one dark ink for all text. Shapes sway by two degrees on hover.",
    ),
    Direction(
        "tableau",
        "Tiles",
        "bold",
        r"chess|schach\w*|games?|spiele?\w*|puzzles?|rätsel\w*|maths?|mathe\w*|tutor\w*|nachhilfe|teach\w*"
        r"|unterricht\w*|learn\w*|lern\w*|courses?|kurse?|language\w*|sprach\w*|quiz\w*|design\w*|architect\w*"
        r"|architekt\w*|coding|piano|klavier|train(?:er|ing)\w*",
        "A wall of tiles in the spirit of the Bauhaus. A square grid with hard edges: quarter circles, half"
        " circles and the motif, each tile in a flat colour; type sits inside of tiles two or three units wide."
        " Headline at clamp(2.4rem, 6.2vw, 5.2rem), line height 0.98, lower case where the language bears it."
        " Sections are rows of the same grid, so that nothing floats. Tiles turn a quarter once when they are"
        " pointed at.",
    ),
    Direction(
        "riso",
        "Two-colour print",
        "bold",
        r"neighbou?r\w*|nachbar\w*|village|dorf\w*|local\w*|regional\w*|shar(?:e|es|ing)|teilen|lend\w*|leih\w*"
        r"|borrow\w*|repair\w*|reparatur\w*|reparier\w*|tools?|werkzeug\w*|swap|tausch\w*|communit\w+"
        r"|gemeinschaft\w*|librar\w+|bibliothek\w*|market\w*|markt\w*|second[- ]hand|volunteer\w*|ehrenamt\w*|street"
        r"|straße|café|zine",
        "A flyer from a risograph. The two accents as spot colours on uncoated paper, overprinting where they"
        " meet (mix-blend-mode: multiply on pictures only), halftone dots as tone, a little misregistration."
        " Headline heavy at clamp(2.8rem, 8vw, 7rem), line height 0.92; text at 1.0625rem/1.6. The motif stands as"
        " a scene along the bottom of the first screen. Sections are set like a zine: uneven columns, one rule,"
        " one stamp.",
    ),
    Direction(
        "wayfinding",
        "Wayfinding",
        "grid",
        r"bicycl\w*|bikes?|fahrr[aä]d\w*|lastenr[aä]d\w*|deliver\w*|liefer\w*|logistic\w*|logistik\w*|transport\w*"
        r"|rout\w+|travel\w*|reise\w*|train|bahn\w*|bus(?:se)?|cars?|autos?|parking|parken|courier|kurier\w*"
        r"|commut\w*|pendel\w*|trips?|maps?|karten?|ship(?:ping)?|ferry|taxi|truck\w*|scooter\w*|airport\w*|visit\w*"
        r"|tour\w*",
        "Signs that are read while moving. One thick route line runs from the first screen to the form, turns at"
        " 45 and 90 degrees, and every section is a stop on it. Headline bold at clamp(2.6rem, 7vw, 6rem), line"
        " height 1; stop names at 1.75rem. The accents in large fields, arrows and the motif as a pictogram in a"
        " square with rounded corners. The line draws itself once.",
    ),
    Direction(
        "gallery",
        "Gallery wall",
        "calm",
        r"art|arts|artists?|kunst\w*|künstler\w*|photo\w*|foto\w*|fashion|mode|furniture|möbel\w*|jewel\w*"
        r"|schmuck\w*|ceramic\w*|keramik\w*|museum\w*|galler(?:y|ies)|galerie\w*|perfume\w*|interior\w*|watch(?:es)?"
        r"|uhren|tailor\w*|schneider\w*|luxur\w*|paint\w*|portrait\w*|wedding\w*|hochzeit\w*|consult\w*|berat\w*",
        "A bare wall, one picture, a label beside it. The motif hangs in a thin frame with a passe-partout, two"
        " thirds of the width; the headline is small for its weight, clamp(1.9rem, 3.6vw, 3.1rem), and stands"
        " where a museum label would. Text at 1rem/1.7 in a measure of 30rem. Space does the work: at least 9rem"
        " between parts, a strict left edge, labels in small type with the section's number. One muted colour from"
        " the picture returns in the button. Dark mode is the same room after closing.",
    ),
)
# What holds in every direction: a project looks like one project on its page, in its decks and in its papers.
BRAND_RULE = (
    "Colours and typefaces are not the direction's but the brand's: draw the page in exactly the brand's"
    " “colors” by their roles (background, surface, text, muted_text; accent_fill and secondary_fill for large areas"
    " and drawings; accent and accent_secondary for lines; accent_text where the accent is the colour of text; on_… for"
    " text on a fill), with tints mixed from them and no other hues; the other colour scheme is"
    " “colors_for_the_other_scheme”. Headings have the font list “headings”, everything else “text”, letter by letter;"
    " the direction's character comes from size, weight, case, tracking and composition."
)
BY_KEY = {direction.key: direction for direction in DIRECTIONS}
ROUNDS = 3


def choose(idea: str, words: str = "", count: int = ROUNDS) -> tuple[Direction, ...]:
    """Return `count` directions for `idea`, best first, no two alike; `words` are further texts that may call for one.

    What the idea speaks of counts, then a draw that only depends on the idea. After the first, directions of other
    families come first, so that a second try is really another one.
    """
    seed = " ".join(idea.split()).casefold()

    def rank(direction: Direction) -> tuple[int, str]:
        called = len(_called(direction, idea)) * 2 + len(_called(direction, words))
        return -min(called, 6), sha256_hex(f"{direction.key}\x00{seed}")

    ranked = sorted(DIRECTIONS, key=rank)
    chosen = ranked[:1]
    while len(chosen) < count:
        left = [direction for direction in ranked if direction not in chosen]
        fresh = [direction for direction in left if direction.family not in {one.family for one in chosen}]
        chosen.append((fresh or left)[0])
    return tuple(chosen)


def _called(direction: Direction, text: str) -> set[str]:
    return {found.casefold() for found in re.findall(rf"(?<![\w-])(?:{direction.cues})(?![\w-])", text, re.IGNORECASE)}
