"""Generated code: an agent writes it inside a sandbox, the studio checks it and offers it as a pull request."""
