"""The sandbox model's page designer: whole landing pages from a request's own words, each in an art direction.

| module | what it holds |
|---|---|
| `brief` | what the request says, ready to be set: words, colours, faces, motifs, and a draw that depends on the idea |
| `faces` | typefaces as lists of fonts that systems have |
| `inks` | colours of a direction, from the brand's two accents |
| `motifs`, `drawings_*` | what a product is about, as drawings in four colours or in outline |
| `parts` | what every page has: head, form, footer, base styles |
| `layouts` | the art directions, one module each |
| `compose`, `critic` | the answer to a request for a page, and the judgement of one |
"""
