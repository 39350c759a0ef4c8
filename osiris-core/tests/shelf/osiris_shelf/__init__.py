"""A real, tiny plugin for the tests of core: a system whose schema is a JSON file, so that a test alters it at will."""
