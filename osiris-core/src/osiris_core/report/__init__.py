"""The run report: one static HTML file that needs nothing but a browser."""

from osiris_core.report.render import render_report

__all__ = ["render_report"]
