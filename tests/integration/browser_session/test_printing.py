"""What is printed is the document and nothing else: no script of it runs, and nothing outside of it is loaded."""

from __future__ import annotations

import io

from PIL import Image
from pypdf import PdfReader

from studio.browser.printing import picture, print_pdf
from studio.settings import Settings
from tests.integration.browser_session.internet import canary

PAGES = """<!doctype html><html lang="en"><title>Two pages</title>
<style>@page {{ margin: 0 }} body {{ margin: 0; background: #00f; }}
section {{ height: 2in; overflow: hidden }} section + section {{ break-before: page }}</style>
<section><h1>Eins</h1><a href="https://example.com/">link</a></section>
<section>Zwei {rest}<script>document.body.textContent = "script"</script></section>"""


def test_a_document_is_printed_without_network_and_scripts() -> None:
    with canary() as bird:
        rest = f'<img src="http://127.0.0.1:{bird.port}/"><iframe src="file:///etc/passwd"></iframe>'
        data = print_pdf(Settings(), PAGES.format(rest=rest), width_in=4, height_in=3)
        assert bird.heard() == []
    reader = PdfReader(io.BytesIO(data))
    texts = [page.extract_text() for page in reader.pages]
    assert [text.split()[0] for text in texts] == ["Eins", "Zwei"]
    assert "root:" not in " ".join(texts)
    assert [float(side) for side in reader.pages[0].mediabox[2:]] == [4 * 72, 3 * 72]


def test_a_picture_shows_the_document_with_its_files() -> None:
    """The square is as wide as the file says, which lies beside the document."""
    style = "text/css", b"div { width: 40px; height: 30px; background: #f00 } body { margin: 0 }"
    document = '<!doctype html><link rel="stylesheet" href="s.css"><div></div>'
    data = picture(Settings(), document, width=80, height=60, scale=2, files={"s.css": style})
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert image.size == (160, 120)
    assert image.getpixel((79, 59)) == (255, 0, 0)
    assert image.getpixel((81, 61)) == (255, 255, 255)
