"""One module a provider: thin, native, and imported only when a chat starts."""
