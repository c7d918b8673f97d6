"""The sandbox model's page designer: whole landing pages from a request's own words, each in an art direction.

| module | what it holds |
|---|---|
| `brief` | what the request says, ready to be set: words, colours, fonts, motifs, and a draw that depends on the idea |
| `inks` | the brand's colours on its two grounds, and the tints mixed from them |
| `motifs`, `drawings_*` | what a product is about, as drawings in four colours or in outline |
| `parts` | what every page has: head, form, footer, base styles |
| `layouts` | the art directions, one module each |
| `compose`, `critic` | the answer to a request for a page, and the judgement of one |
"""
