"""The sandbox model as the code agent: it writes a small web application from the project's own words.

It has no knowledge and no memory: which turn is next follows from the conversation alone, and what it says at the end
is what the tools have told it. The application is real: it runs on Python's standard library, and its tests start it.

| module | what it holds |
|---|---|
| `player` | the turns: look, write, run, mend, report |
| `transcript` | what was called so far, and what came back |
| `kinds` | which of three kinds of product an idea asks for |
| `parts` | which parts of a request are clearly in it |
| `product` | the product's name, words, colours and folder |
| `files` | its files, from `templates` |
| `report` | what is said at the end |
| `speech` | the sentences of `phrases`, which stay out of all other answers |
"""
