"""The REST channel: PostgREST through the unmodified supabase client."""
