"""MySQL and MariaDB tables for Osiris, read at full speed and unaltered."""

__version__ = "0.1.0"
