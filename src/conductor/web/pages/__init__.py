"""Pages for people: what `serve` shows in a browser. They read and act through operations; nothing of them is part of the API.

Laws. Every page can be read without JavaScript. A page shows what the visitor's token reaches and nothing else. What repositories, logs
and reports say is text: it is escaped by the templates, and set as text by the scripts.
"""

from __future__ import annotations
