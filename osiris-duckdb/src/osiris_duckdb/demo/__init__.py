"""``osiris demo``: a small shop, and everything a user does with it."""
