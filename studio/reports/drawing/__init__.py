"""The drawing of a report: which slides it gets, what stands on them, and how they are printed.

| module | what it holds |
|---|---|
| `reading`, `words` | the report as it is drawn: cleaned, ranked, without what was removed |
| `plan`, `paging` | which slides there are, exactly as many as asked, and what fits on one |
| `opening`, `findings`, `doubts`, `appendix`, `working` | the slides |
| `passages` | the layout of statements with the words that carry them |
| `printing`, `typefaces`, `thumbnail` | the pages as a PDF, its fonts, and a small picture of the first |
"""
