"""Component specs: what a component promises, loaded from ``spec.yaml`` and checked against one schema."""

from osiris_core.spec.model import Spec

__all__ = ["Spec"]
