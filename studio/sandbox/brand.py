"""The brand kit and the brand brief, from the idea's own words and a palette that its words choose."""

from __future__ import annotations

from typing import Any

from studio.brand.palette import from_entries
from studio.sandbox import synthesis, words
from studio.sandbox.facts import Facts
from studio.sandbox.palettes import fonts_for, palette_for
from studio.sandbox.reading import Reading
from studio.sandbox.wording import quoted, say


def kit(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `BrandKit` schema."""
    reading, language = facts.reading, facts.reading.language
    palette = palette_for(reading.text)
    heading, body = fonts_for(reading.text)
    voice = (
        say(language, "voice_people", audience=reading.audience) if reading.audience else say(language, "voice_plain")
    )
    roles = (
        (palette.background, "role_background"),
        (palette.text, "role_text"),
        (palette.accent, "role_accent"),
        (palette.second, "role_second"),
        (palette.surface, "role_surface"),
    )
    return {
        "voice": voice,
        "color_palette": [f"{colour} {say(language, role)}" for colour, role in roles],
        "font_pairing": f"{heading} / {body}",
        "logo_prompt": say(language, "logo", motif=motif(reading)),
    }


def motif(reading: Reading) -> str:
    """Return the thing the idea turns on, in quotation marks."""
    phrase = next(iter(reading.phrases), "") or reading.product or synthesis.tagline(reading)
    return quoted(phrase, reading.language, 60)


def deck(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `BrandDeckSpec` schema."""
    reading, language = facts.reading, facts.reading.language
    palette = palette_for(reading.text)
    heading, body = fonts_for(reading.text)
    title = words.clip_words(words.capitalise(synthesis.tagline(reading)), 120)
    fresh = [text for text in reading.features if not words.holds(title, text) and not words.holds(text, title)]
    positioning = [words.sentence_case(words.clip_words(text, 160)) for text in fresh[:4]]
    audience = reading.audience
    told = say(language, "deck_stand_people", audience=audience) if audience else say(language, "deck_stand")

    def slide(kind: str, layout: str, name: str, **fields: Any) -> dict[str, Any]:
        return {"kind": kind, "layout": layout, "kicker": say(language, "deck_brief"), "title": name, **fields}

    return {
        "visual_direction": words.clip_words(say(language, "deck_direction", motif=motif(reading)), 260),
        "narrative": words.clip_words(say(language, "deck_narrative", idea=synthesis.named(reading)), 700),
        "typography": {"heading_font": heading, "body_font": body},
        "style_tokens": tokens(facts),
        "slides": [
            slide("cover", "statement", title if len(title) >= 8 else say(language, "headline_open", idea=title)),
            slide(
                "positioning", "split_image_right", say(language, "deck_positioning"), body=told, bullets=positioning
            ),
            slide(
                "palette",
                "grid",
                say(language, "deck_palette"),
                body=say(language, "deck_palette_body"),
                palette_focus=[palette.accent, palette.second, palette.text, palette.background, palette.surface],
            ),
            slide("typography", "spotlight", say(language, "deck_type"), body=say(language, "deck_type_body")),
            slide("voice", "statement", say(language, "deck_voice"), body=kit(facts)["voice"]),
            slide(
                "guidelines",
                "rules",
                say(language, "deck_rules"),
                do=[say(language, key) for key in ("do_short", "do_words", "do_space")],
                dont=[say(language, key) for key in ("dont_super", "dont_claim", "dont_stock")],
            ),
            slide("closing", "full_image", say(language, "deck_close"), subtitle=say(language, "deck_close_sub")),
        ],
    }


def tokens(facts: Facts) -> dict[str, str]:
    """Return the kit's palette as the six style tokens of a brand brief, settled as everything else of the brand is."""
    settled = from_entries(kit(facts)["color_palette"], facts.idea)
    return {
        "background": settled.background,
        "surface": settled.surface,
        "text": settled.text,
        "muted_text": settled.muted_text,
        "accent": settled.accent_fill,
        "accent_secondary": settled.secondary_fill,
    }
