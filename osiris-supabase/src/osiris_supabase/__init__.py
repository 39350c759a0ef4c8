"""Supabase tables for Osiris: the PostgreSQL channel, and REST through the supabase client."""

__version__ = "0.1.0"
