"""From evidence to report: JUnit in; terminal text, Markdown, JSON and the digest out. Pure."""
