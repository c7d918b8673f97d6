"""The sandbox model: a local server that speaks the Anthropic Messages API.

It stands in for a language model where no key is configured, so that tests and the demo run the real
client over real HTTP. Its answers are functions of the request alone, put together from the project's
own words and from the passages the request carries; it has no knowledge, and says so.

| module | what it holds |
|---|---|
| `server`, `routes`, `wire` | the socket and its end, the routes, how an answer leaves |
| `request`, `checks`, `errors`, `threads` | what a client asks, what is refused, the conversations the server keeps |
| `messages`, `reply`, `sse`, `tokens` | from a request to content blocks, to bytes, to a bill |
| `facts`, `words`, `lexicon` | what the request says, in sentences, words and phrases |
| `reading`, `audience`, `deeds`, `verbs` | what an idea says about itself |
| `answers`, `schema`, `patterns` | JSON for any schema, with composers for the schemas we know |
| `synthesis`, `research`, `patch`, `prose`, `topics`, `wording` | the pitch's composers, and the sentences they use |
| `launch`, `brand`, `palettes`, `phase_plans`, `phase_patches` | the later phases', and theirs |
| `landing` | whole landing pages in twelve art directions, and their critic |
| `code` | the code agent: its turns, and the small web applications that it writes |
| `search`, `tools` | the server-side web search over a folder, and calls of the client's tools |
| `faults`, `journal` | faults that tests order, and the record of what was asked |
"""
