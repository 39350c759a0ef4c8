"""LLM authoring for Osiris: a model fills a form closed over what exists, code grounds it."""

__version__ = "0.1.0"
